// Moving one operand's K block from global memory, through registers, to an f32 tile in shared memory.
#pragma once

#include "mainloop/prologue.cuh"
#include "mainloop/span.cuh"
#include "numeric/types.cuh"

namespace gemmd::simt {

// An operand's tile has kExtent indices along M (or N) and kTileK along K. In global memory one of the two is
// contiguous; in shared memory it is [kTileK][kPitch], so that a K step is one row.
//
// kWidth: elements of one global access; where it is over 1 the contiguous extent is a multiple of it, so an access
// is wholly inside or wholly outside. What lies outside reads as zero.
template <Factor kFactor, typename Along, typename T, int kExtent, int kTileK, bool kContiguousInK, int kWidth,
          int kThreads, int kPitch>
class TileLoader {
 public:
  // `along`: the tile's span of M (or N).
  __device__ TileLoader(const T* matrix, Int64 ld, const Along& along, int k_extent)
      : matrix_(matrix), ld_(ld), along_(along), k_extent_(k_extent) {}

  // Starts the loads of the block at k0.
  __device__ __forceinline__ void Fetch(int k0) {
    k0_ = k0;
#pragma unroll
    for (int i = 0; i < kAccesses; ++i) {
      const Place place = PlaceOf(i);
      const int along = along_.At(place.along), k = k0 + place.k;
      if (Inside(i) && InMatrix(place, k)) {
        const T* source = kContiguousInK ? matrix_ + along * ld_ + k : matrix_ + k * ld_ + along;
        held_[i] = *reinterpret_cast<const Pack<T, kWidth>*>(source);
      } else {
        held_[i] = {};
      }
    }
  }

  // Writes what Fetch loaded, put through the prologue.
  template <typename Prologue>
  __device__ __forceinline__ void Commit(float* shared, const Prologue& prologue) const {
#pragma unroll
    for (int i = 0; i < kAccesses; ++i) {
      if (!Inside(i)) continue;
      const Place place = PlaceOf(i);
      const int along_matrix = along_.At(place.along), k_matrix = k0_ + place.k;
      const auto pack = Prepare<kFactor, kContiguousInK>(prologue, held_[i], along_matrix, k_matrix,
                                                         InMatrix(place, k_matrix) ? kWidth : 0);
#pragma unroll
      for (int j = 0; j < kWidth; ++j) {
        const int k = kContiguousInK ? place.k + j : place.k;
        const int along = kContiguousInK ? place.along : place.along + j;
        shared[k * kPitch + along] = ToFloat(pack.at[j]);
      }
    }
  }

 private:
  struct Place {
    int along, k;
  };

  static constexpr int kLine = kContiguousInK ? kTileK : kExtent;  // contiguous elements of the tile
  static constexpr int kPerLine = kLine / kWidth;
  static constexpr int kTotal = kExtent * kTileK / kWidth;
  static constexpr int kAccesses = (kTotal + kThreads - 1) / kThreads;
  static_assert(kLine % kWidth == 0);

  static __device__ __forceinline__ bool Inside(int i) {
    return kTotal % kThreads == 0 || static_cast<int>(threadIdx.x) + i * kThreads < kTotal;
  }

  __device__ __forceinline__ bool InMatrix(const Place& place, int k) const {
    return along_.Valid(place.along) > 0 && k < k_extent_;
  }

  static __device__ __forceinline__ Place PlaceOf(int i) {
    const int access = threadIdx.x + i * kThreads;
    const int line = access / kPerLine, within = access % kPerLine * kWidth;
    return kContiguousInK ? Place{line, within} : Place{within, line};
  }

  const T* matrix_;
  Int64 ld_;
  Along along_;
  int k_extent_;
  int k0_ = 0;  // of the block that is held
  Pack<T, kWidth> held_[kAccesses];
};

}  // namespace gemmd::simt
