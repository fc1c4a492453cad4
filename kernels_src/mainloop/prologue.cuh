// The chain on A or B between its load and its multiply.
//
// A generated prologue is a functor on cells of the matrix as its chain sees it, A [M, K] or B [K, N]. It computes in
// f32 and gives f32; what loads a tile rounds that once to the element type of the multiply.
#pragma once

#include "epilogue/access.cuh"
#include "numeric/types.cuh"
#include "numeric/vec.cuh"

namespace gemmd {

// No chain: elements are multiplied as they lie in memory.
struct NoPrologue {
  static constexpr bool kIdentity = true;
};

// The factors of the product. K runs along A's rows, so its index is A's column and B's row.
enum class Factor { kA, kB };

// What is multiplied for kCount elements that are contiguous in memory, from index `along` of M (or N) and `k` of K.
// The first `valid` of them lie inside the matrix, none if it is 0 or less. Zeros elsewhere: outside, a chain could
// make anything of the zeros that pad a tile.
template <Factor kFactor, bool kContiguousInK, typename Prologue, typename T, int kCount>
__device__ __forceinline__ Pack<T, kCount> Prepare(const Prologue& prologue, const Pack<T, kCount>& loaded, int along,
                                                   int k, int valid) {
  if constexpr (Prologue::kIdentity) {
    return loaded;
  } else {
    constexpr bool kAlongColumns = kContiguousInK == (kFactor == Factor::kA);
    const int row = kFactor == Factor::kA ? along : k, column = kFactor == Factor::kA ? k : along;
    Pack<T, kCount> result = {};
    if constexpr (kAlongColumns) {
      if (valid <= 0) return result;
      Vec<kCount> value;
#pragma unroll
      for (int i = 0; i < kCount; ++i) value.at[i] = ToFloat(loaded.at[i]);
      value = prologue(Cell<kCount>{row, column, valid < kCount ? valid : kCount}, value);
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        if (i < valid) result.at[i] = FromFloat<T>(value.at[i]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        if (i >= valid) continue;
        const Vec<1> value = prologue(Cell<1>{row + i, column, 1}, Vec<1>{ToFloat(loaded.at[i])});
        result.at[i] = FromFloat<T>(value.at[0]);
      }
    }
    return result;
  }
}

}  // namespace gemmd
