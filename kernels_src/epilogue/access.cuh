// How a chain reaches its operands and outputs: V consecutive columns of one row at a time.
#pragma once

#include "numeric/types.cuh"
#include "numeric/vec.cuh"

namespace gemmd {

// V consecutive columns of one row of a chain's matrix; `valid` of them (at least one) lie inside it. `column` is a
// multiple of V, in the second half of a gate's columns counted from where it begins.
template <int V>
struct Cell {
  int row;
  int column;
  int valid;
};

// How many of a cell's V columns are inside where the matrix has `columns` from its first on; 0 or less: none. With
// kWhole a matrix has a multiple of V columns, so that it is all or none, and what would handle a part of a cell is
// left out.
template <int V, bool kWhole>
__device__ __forceinline__ int ValidColumns(int columns) {
  if constexpr (kWhole) return columns > 0 ? V : 0;
  return columns < V ? columns : V;
}

// Loads V elements at `source`, which is aligned to kWidth elements or to V of them, whichever is fewer; `valid` of
// them are inside, the others read as zero.
template <int kWidth, int V, typename T>
__device__ __forceinline__ Raw<T, V> LoadContiguous(const T* source, int valid) {
  constexpr int kAccess = kWidth < V ? kWidth : V;
  Raw<T, V> result = {};
#pragma unroll
  for (int i = 0; i < V; i += kAccess) {
    if (i + kAccess <= valid) {
      const auto pack = *reinterpret_cast<const Pack<T, kAccess>*>(source + i);
#pragma unroll
      for (int j = 0; j < kAccess; ++j) result.at[i + j] = pack.at[j];
    } else {
#pragma unroll
      for (int j = i; j < i + kAccess - 1; ++j) {
        if (j < valid) result.at[j] = source[j];
      }
    }
  }
  return result;
}

// A row vector: an element for each column.
template <int kWidth, int V, typename T>
__device__ __forceinline__ Raw<T, V> LoadRow(const T* vector, const Cell<V>& cell) {
  return LoadContiguous<kWidth, V>(vector + cell.column, cell.valid);
}

// A column vector: an element for each row.
template <int V, typename T>
__device__ __forceinline__ Raw<T, V> LoadColumn(const T* vector, const Cell<V>& cell) {
  const T value = vector[cell.row];
  Raw<T, V> result;
#pragma unroll
  for (int i = 0; i < V; ++i) result.at[i] = value;
  return result;
}

// A row-major matrix with `ld` elements from row to row.
template <int kWidth, int V, typename T>
__device__ __forceinline__ Raw<T, V> LoadRowMajor(const T* matrix, Int64 ld, const Cell<V>& cell) {
  return LoadContiguous<kWidth, V>(matrix + cell.row * ld + cell.column, cell.valid);
}

// A column-major matrix with `ld` elements from column to column.
template <int V, typename T>
__device__ __forceinline__ Raw<T, V> LoadColumnMajor(const T* matrix, Int64 ld, const Cell<V>& cell) {
  Raw<T, V> result;
#pragma unroll
  for (int i = 0; i < V; ++i) {
    result.at[i] = i < cell.valid ? matrix[(cell.column + i) * ld + cell.row] : T{};
  }
  return result;
}

// Stores to a row-major matrix, each value rounded once to T.
template <int kWidth, int V, typename T>
__device__ __forceinline__ void Store(T* matrix, Int64 ld, const Cell<V>& cell, const Vec<V>& value) {
  constexpr int kAccess = kWidth < V ? kWidth : V;
  T* target = matrix + cell.row * ld + cell.column;
#pragma unroll
  for (int i = 0; i < V; i += kAccess) {
    if (i + kAccess <= cell.valid) {
      Pack<T, kAccess> pack;
#pragma unroll
      for (int j = 0; j < kAccess; ++j) pack.at[j] = FromFloat<T>(value.at[i + j]);
      *reinterpret_cast<Pack<T, kAccess>*>(target + i) = pack;
    } else {
#pragma unroll
      for (int j = i; j < i + kAccess - 1; ++j) {
        if (j < cell.valid) target[j] = FromFloat<T>(value.at[j]);
      }
    }
  }
}

// What a chain stores through where cells go straight to memory.
struct DirectWriter {
  template <int kIndex, int kWidth, int V, typename T>
  __device__ __forceinline__ void Store(T* matrix, Int64 ld, const Cell<V>& cell, const Vec<V>& value) const {
    gemmd::Store<kWidth>(matrix, ld, cell, value);
  }
};

}  // namespace gemmd
