// What becomes of a chain's last row reduction: a warp beside the producer publishes what a warpgroup found, tile by
// tile, and where its tile is the last of the row block it merges what all of them found and ends the chain. The fences
// and round trips to L2 that this takes are nobody's who multiplies.
#pragma once

#include "epilogue/access.cuh"
#include "epilogue/row_mailbox.cuh"
#include "epilogue/row_parts.cuh"
#include "epilogue/row_values.cuh"

namespace gemmd::wgmma {

// What a chain sees of a tile's rows once elements are no longer looked at: rows lane, lane + 32, … are a lane's.
template <typename Config>
class PublishedRows {
  static constexpr int kSlots = Config::kTileM / 32;

 public:
  static constexpr int kV = 2;
  using Writer = DirectWriter;

  // As in RowFragments, of whose warpgroup `shared` is the mailbox.
  __device__ __forceinline__ PublishedRows(int m, int n, int row0, int column0, unsigned turn,
                                           const Workspace& workspace, unsigned char* shared)
      : m_(m), n_(n), row0_(row0), turn_(turn), parts_(workspace, m, n, row0, column0), mailbox_(shared) {}

  template <typename Visit>
  __device__ __forceinline__ void Keep(const Visit&) const {}
  template <typename Visit>
  __device__ __forceinline__ void Each(const Visit&) const {}

  template <int kWidth, bool kHolds, typename T>
  __device__ __forceinline__ auto Vector(const T* vector) const {
    return ReadVector<T, kWidth>{vector};
  }

  template <typename Functor, int kIndex, bool kLast, typename Visit, typename... Parameters>
  __device__ __forceinline__ Rows<typename Functor::Row, kSlots> Reduce(const Visit&, Parameters... parameters) {
    using State = typename Functor::State;
    constexpr int kWords = Part<State>::kWords;
    hopper::Wait(mailbox_.filled, turn_ % 2);
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      const int row = Lane() + slot * 32;
      *parts_.template Mine<kIndex, kWords>(row) = *mailbox_.template Of<kWords>(row);
    }
    hopper::Arrive(mailbox_.emptied);
    __syncwarp();
    unsigned before = 0;
    if (Lane() == 0) before = ptx::AddReleasing(parts_.template Counter<kIndex>(), 1);
    owns_ = __shfl_sync(0xFFFFFFFFu, before, 0) == Config::kTilesN - 1;
    Rows<typename Functor::Row, kSlots> known = {};
    if (!owns_) return known;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      constexpr int kBatch = 4;  // what registers are left for
      const State merged = parts_.template Merged<kIndex, State, kMin<kBatch, Config::kTilesN>>(Lane() + slot * 32);
      known.at[slot] = Functor::Finish(merged, static_cast<float>(n_), parameters...);
    }
    return known;
  }

  // The rows' elements of a column vector.
  template <typename T>
  __device__ __forceinline__ Rows<float, kSlots> Column(const T* vector) const {
    Rows<float, kSlots> values;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) values.at[slot] = ToFloat(vector[Min(RowAt(slot), m_ - 1)]);
    return values;
  }

  template <typename T>
  __device__ __forceinline__ void Store(T* vector, const Rows<float, kSlots>& values) const {
    if (!owns_) return;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      if (RowAt(slot) < m_) vector[RowAt(slot)] = FromFloat<T>(values.at[slot]);
    }
  }

 private:
  static __device__ __forceinline__ int Lane() { return threadIdx.x % 32; }
  __device__ __forceinline__ int RowAt(int slot) const { return row0_ + Lane() + slot * 32; }

  const int m_, n_, row0_;
  const unsigned turn_;
  const RowParts<Config> parts_;
  const RowMailbox<Config::kTileM> mailbox_;
  bool owns_ = false;
};

}  // namespace gemmd::wgmma
