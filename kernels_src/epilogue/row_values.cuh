// What is known of the rows that a thread works on: one value for its only row, or one for each of several.
#pragma once

#include "epilogue/access.cuh"
#include "numeric/types.cuh"

namespace gemmd {

// Which of a thread's rows a cell is of, and which of its cells in a row it is.
struct Spot {
  int slot, pair;
};

template <typename T, int kCount>
struct Rows {
  T at[kCount];
};

// Of the thread's row `slot`.
template <typename T>
__device__ __forceinline__ const T& Pick(const T& value, int) {
  return value;
}
template <typename T, int kCount>
__device__ __forceinline__ const T& Pick(const Rows<T, kCount>& values, int slot) {
  return values.at[slot];
}

// A row vector of which a thread has its columns' elements, V for each of kCount cells of a row.
template <typename T, int V, int kCount>
struct HeldVector {
  Raw<T, V> at[kCount];
  __device__ __forceinline__ const Raw<T, V>& At(const Cell<V>&, const Spot& spot) const { return at[spot.pair]; }
};

// One that is read cell by cell.
template <typename T, int kWidth>
struct ReadVector {
  const T* vector;
  template <int V>
  __device__ __forceinline__ Raw<T, V> At(const Cell<V>& cell, const Spot&) const {
    return LoadRow<kWidth>(vector, cell);
  }
};

// A column vector's elements of the thread's rows: row(slot) says which they are. Past the last of m it is that one's.
template <int kCount, typename T, typename Row>
__device__ __forceinline__ Rows<float, kCount> ColumnElements(const T* vector, int m, const Row& row) {
  Rows<float, kCount> values;
#pragma unroll
  for (int slot = 0; slot < kCount; ++slot) values.at[slot] = ToFloat(vector[Min(row(slot), m - 1)]);
  return values;
}

// An operation on what is known of each row; of its arguments some may be the same for all.
template <typename Op, int kCount, typename... Arguments>
__device__ __forceinline__ Rows<float, kCount> MapRows(const Rows<float, kCount>& x, const Arguments&... arguments) {
  Rows<float, kCount> result;
#pragma unroll
  for (int i = 0; i < kCount; ++i) result.at[i] = Op::Apply(x.at[i], Pick(arguments, i)...);
  return result;
}
template <typename Op, typename... Arguments>
__device__ __forceinline__ float MapRows(float x, const Arguments&... arguments) {
  return Op::Apply(x, arguments...);
}

// Rounded to T and back.
template <typename T>
struct Rounded {
  static __device__ __forceinline__ float Apply(float x) { return ToFloat(FromFloat<T>(x)); }
};

}  // namespace gemmd
