// The Hopper schedule where the chain has row reductions: it goes by rows of the whole tile.
#pragma once

#include "epilogue/row_fragments.cuh"
#include "epilogue/row_publisher.cuh"
#include "schedule/wgmma.cuh"

namespace gemmd::wgmma {

// A warpgroup's way through its part of a tile.
template <typename Config, typename Epilogue>
class TileWriter<Config, Epilogue, true> {
  using S = Shape<Config>;

 public:
  __device__ __forceinline__ TileWriter(const MappedProblem& problem, int row0, int column0, int warpgroup,
                                        unsigned turn, unsigned char* staging, unsigned char* row_memory,
                                        const Epilogue& epilogue)
      : problem_(problem),
        row0_(row0),
        column0_(column0),
        warpgroup_(warpgroup),
        turn_(turn),
        staging_(staging),
        row_memory_(row_memory),
        epilogue_(epilogue) {}

  __device__ __forceinline__ void Write() const {
    Accumulators<Config> acc;
    Take(acc);
    RowFragments<Config, Epilogue> rows(acc, problem_.m, problem_.n, row0_, column0_, warpgroup_, turn_,
                                        problem_.workspace, staging_, row_memory_, epilogue_);
    epilogue_(rows);
  }

  static __device__ __forceinline__ void InitMailboxes(unsigned char* row_memory) {
    for (int i = 0; i < S::kConsumers; ++i) RowMailbox<Config::kTileM>(row_memory + i * S::kRowMemoryBytes).Init();
  }

  // What the warps beside the producer do for warpgroups that take turns: warp w publishes what warpgroup w finds of
  // its tiles' rows, and the next one merges row blocks, as many as other CTAs do. It waits for other CTAs, but nobody
  // waits for it.
  static __device__ __forceinline__ void Publish(const MappedProblem& problem, int warp, int tiles_m, int tiles_n,
                                                 unsigned char* row_memory, const Epilogue& epilogue) {
    static_assert(Config::kPingPong && S::kConsumers == 2);
    if (warp < S::kConsumers) {
      unsigned turn = 0;
      for (int index = blockIdx.x + warp * gridDim.x; index < tiles_m * tiles_n; index += gridDim.x * 2, ++turn) {
        const TileIndex tile = GroupedTile<Config::kGroupM>(index, tiles_m, tiles_n);
        PublishedRows<Config> rows(problem.workspace, problem.m, problem.n, tile.m * Config::kTileM,
                                   tile.n * Config::kTileN, turn, row_memory + warp * S::kRowMemoryBytes);
        epilogue(rows);
      }
    } else if (warp == S::kConsumers) {
      for (int row_block = blockIdx.x; row_block < tiles_m; row_block += gridDim.x) {
        MergedRows<Config> rows(problem.workspace, problem.m, problem.n, row_block * Config::kTileM);
        epilogue(rows);
      }
    }
  }

 private:
  const MappedProblem& problem_;
  const int row0_, column0_, warpgroup_;
  const unsigned turn_;
  unsigned char* const staging_;
  unsigned char* const row_memory_;
  const Epilogue& epilogue_;
};

}  // namespace gemmd::wgmma
