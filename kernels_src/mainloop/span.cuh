// Which indices along M or N a tile covers.
#pragma once

#include "numeric/types.cuh"

namespace gemmd {

// Consecutive ones from `first` on; those under `extent` lie inside the matrix.
struct Span {
  int first, extent;

  // The index that the tile's j-th stands for.
  __device__ __forceinline__ int At(int j) const { return first + j; }
  // From the index of j to that of j + by.
  __device__ __forceinline__ int Step(int, int by) const { return by; }
  // How many of those from j on lie inside; 0 or less for none.
  __device__ __forceinline__ int Valid(int j) const { return extent - first - j; }
};

// Columns of both halves of a matrix, each `half` wide: kBlock from `first` on of the first half, the same kBlock of
// the second, the next kBlock of the first, …. What of them lies outside their half counts as outside the matrix.
template <int kBlock>
struct PairedSpan {
  int first, half;

  __device__ __forceinline__ int At(int j) const { return InHalf(j) + (j / kBlock % 2 == 0 ? 0 : half); }
  __device__ __forceinline__ int Step(int j, int by) const { return At(j + by) - At(j); }
  // Of one block.
  __device__ __forceinline__ int Valid(int j) const { return half - InHalf(j); }

 private:
  __device__ __forceinline__ int InHalf(int j) const { return first + j / (2 * kBlock) * kBlock + j % kBlock; }
};

template <bool kGated, int kBlock>
struct ColumnSpanOf {
  using Type = Span;
};
template <int kBlock>
struct ColumnSpanOf<true, kBlock> {
  using Type = PairedSpan<kBlock>;
};

// The columns of B of one tile, where there is a gate kBlock of either half in turns.
template <bool kGated, int kBlock>
using ColumnSpan = typename ColumnSpanOf<kGated, kBlock>::Type;

// Those of the tile_n-th tile of kTileN columns.
template <typename Columns, bool kGated, int kTileN>
__device__ __forceinline__ Columns ColumnsOf(int tile_n, int n) {
  return kGated ? Columns{tile_n * (kTileN / 2), n / 2} : Columns{tile_n * kTileN, n};
}

}  // namespace gemmd
