// The Hopper schedule where the chain has no row reductions: it goes by slices.
#pragma once

#include "epilogue/fragment_staging.cuh"
#include "epilogue/warp_staging.cuh"
#include "schedule/wgmma.cuh"

namespace gemmd::wgmma {

// How a warp's slices leave: a short chain works on fragments, a long one on rows.
template <typename Config, typename Epilogue, int kCellN>
struct StagingOf {
  using Type =
      WarpStaging<Shape<Config>::kHalves * Config::kSubtileN, kCellN, Config::kGated, Config::kWholeCells, Epilogue>;
};

template <typename Config, typename Epilogue>
struct StagingOf<Config, Epilogue, 2> {
  using Type = FragmentStaging<Config::kSubtileN, Config::kGated, Config::kWholeCells, Config::kWholeTiles, Epilogue>;
};

// A warp's way through its part of a tile: slices of 16 rows by kSubtileN columns of the result, each made of as many
// columns of the tile, or of either half of it where there is a gate.
template <typename Config, typename Epilogue>
class TileWriter<Config, Epilogue, false> {
 public:
  // Fetches the first operands, long before the accumulators are there.
  __device__ __forceinline__ TileWriter(const MappedProblem& problem, int row0, int column0, int, unsigned,
                                        unsigned char* staging, unsigned char*, const Epilogue& epilogue)
      : m_(problem.m), row0_(row0), column0_(column0), staging_(staging, problem.m, problem.n, epilogue) {
    staging_.Start(SliceAt(0));
  }

  __device__ __forceinline__ void Write() {
#pragma unroll 1  // the chain is compiled once
    for (int index = 0; index < kSlices; ++index) {
      float slice[S::kHalves * Config::kSubtileN / 8][4];
      TakeSlice<0, kSlices>(index, slice[0]);
      staging_.Write(slice, SliceAt(index), SliceAt(index + 1));
    }
  }

 private:
  using S = Shape<Config>;
  using Staging = typename StagingOf<Config, Epilogue, Config::kCellN>::Type;
  static constexpr int kAcross = S::kResultN / Config::kSubtileN;
  static constexpr int kSlices = S::kBlocksM * kAcross;
  static constexpr int kSliceGroups = Config::kSubtileN / 2 / kGroup;  // of a thread's accumulators, of one half
  static_assert(S::kResultN % Config::kSubtileN == 0 && kSliceGroups > 0);

  // The accumulators of slice kIndex from group kFrom of them on.
  template <int kIndex, int kFrom>
  __device__ __forceinline__ void TakeGroups(float* slice) const {
    if constexpr (kFrom < S::kHalves * kSliceGroups) {
      constexpr int kHalf = kFrom / kSliceGroups * (S::kResultN / 2 / kGroup);
      hopper::TakeAccumulators<kIndex / kAcross, kHalf + kIndex % kAcross * kSliceGroups + kFrom % kSliceGroups>(
          slice + kFrom * kGroup);
      TakeGroups<kIndex, kFrom + 1>(slice);
    }
  }

  // The accumulators of slice `index`, one of kCount from kFirst on: whose they are is part of an instruction's text.
  template <int kFirst, int kCount>
  __device__ __forceinline__ void TakeSlice(int index, float* slice) const {
    if constexpr (kCount == 1) {
      TakeGroups<kFirst, 0>(slice);
    } else if (index < kFirst + kCount / 2) {
      TakeSlice<kFirst, kCount / 2>(index, slice);
    } else {
      TakeSlice<kFirst + kCount / 2, kCount - kCount / 2>(index, slice);
    }
  }

  __device__ __forceinline__ typename Staging::Slice SliceAt(int index) const {
    const int row = row0_ + index / kAcross * 64 + threadIdx.x % 128 / 32 * 16;
    return {index < kSlices ? row : m_, column0_ + index % kAcross * Config::kSubtileN};
  }

  const int m_, row0_, column0_;
  Staging staging_;
};

}  // namespace gemmd::wgmma
