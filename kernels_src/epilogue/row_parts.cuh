// What the tiles of a row block tell each other of its rows, through the launch's workspace: for each reduction of the
// chain a counter for each row block, and the Parts of their states: of every row block and tile along N those of each
// row of the tile.
#pragma once

#include "arch/ptx.cuh"
#include "epilogue/workspace.cuh"
#include "numeric/statistics.cuh"
#include "schedule/tile.cuh"

namespace gemmd::wgmma {

// Of one tile, which starts at row0, column0 of the [m, n] result.
template <typename Config>
class RowParts {
 public:
  static constexpr int kRows = Config::kTileM;
  static constexpr int kPartWords = 2;  // of the largest Part

  __device__ __forceinline__ RowParts(const Workspace& workspace, int m, int n, int row0, int column0)
      : workspace_(workspace), m_(m), n_(n), row_block_(row0 / kRows), tile_n_(column0 / Config::kTileN) {}

  template <int kIndex>
  __device__ __forceinline__ unsigned* Counter() const {
    return workspace_.counters + kIndex * CeilDiv(m_, kRows) + row_block_;
  }

  // Where this tile leaves what it knows of its row `row`, as Words.
  template <int kIndex, int kWords>
  __device__ __forceinline__ Words<kWords>* Mine(int row) const {
    return reinterpret_cast<Words<kWords>*>(Of<kIndex>(tile_n_)) + row;
  }

  // Of a row of the tile, all tiles' states merged, kBatch of them on their way at a time.
  template <int kIndex, typename State, int kBatch>
  __device__ __forceinline__ State Merged(int row) const {
    constexpr int kWords = Part<State>::kWords;
    static_assert(kWords <= kPartWords);
    const float* const parts = Of<kIndex>(0) + row * kWords;
    State merged;
#pragma unroll 1
    for (int first = 0; first < Config::kTilesN; first += kBatch) {
      State states[kBatch];
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        if (Config::kTilesN % kBatch != 0 && first + i >= Config::kTilesN) continue;
        const int tile = first + i;
        const int count = Config::kWholeTiles ? Config::kTileN : Min(n_ - tile * Config::kTileN, Config::kTileN);
        states[i] = Part<State>::Whole(LoadWords<kWords>(parts + tile * (kPartWords * kRows)), count);
      }
      merged.Merge(State::Merged(states));
    }
    return merged;
  }

 private:
  template <int kIndex>
  __device__ __forceinline__ float* Of(int tile_n) const {
    const Int64 block = kIndex * static_cast<Int64>(CeilDiv(m_, kRows)) + row_block_;
    return workspace_.parts + (block * Config::kTilesN + tile_n) * (kPartWords * kRows);
  }

  template <int kWords>
  static __device__ __forceinline__ Words<kWords> LoadWords(const float* source) {
    if constexpr (kWords == 1) {
      return {ptx::LoadFromL2(source)};
    } else {
      const Pack<float, 2> words = ptx::Load2FromL2(source);
      return {words.at[0], words.at[1]};
    }
  }

  const Workspace& workspace_;
  const int m_, n_, row_block_, tile_n_;
};

}  // namespace gemmd::wgmma
