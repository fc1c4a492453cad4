// V consecutive f32 values of one row: what a chain computes on.
#pragma once

#include "numeric/types.cuh"

namespace gemmd {

template <int V>
struct Vec {
  float at[V];
};

// The same V values as they lie in memory: fewer registers, until the chain wants them.
template <typename T, int V>
struct Raw {
  T at[V];
};

template <typename T, int V>
__device__ __forceinline__ Vec<V> Widen(const Raw<T, V>& raw) {
  Vec<V> result;
#pragma unroll
  for (int i = 0; i < V; ++i) result.at[i] = ToFloat(raw.at[i]);
  return result;
}

template <int V>
__device__ __forceinline__ Vec<V> Splat(float value) {
  Vec<V> result;
#pragma unroll
  for (int i = 0; i < V; ++i) result.at[i] = value;
  return result;
}

// An operation on each value, with the same further arguments for all: the parameters of a unary one, a binary one's
// second.
template <typename Op, int V, typename... Arguments>
__device__ __forceinline__ Vec<V> Map(const Vec<V>& x, Arguments... arguments) {
  Vec<V> result;
#pragma unroll
  for (int i = 0; i < V; ++i) result.at[i] = Op::Apply(x.at[i], arguments...);
  return result;
}

// An operation of several arguments, value by value.
template <typename Op, int V, typename... Vecs>
__device__ __forceinline__ Vec<V> Zip(const Vec<V>& x, const Vecs&... others) {
  Vec<V> result;
#pragma unroll
  for (int i = 0; i < V; ++i) result.at[i] = Op::Apply(x.at[i], others.at[i]...);
  return result;
}

// Rounded to T and back: the chain's `cast`.
template <typename T, int V>
__device__ __forceinline__ Vec<V> Round(const Vec<V>& x) {
  Vec<V> result;
#pragma unroll
  for (int i = 0; i < V; ++i) result.at[i] = ToFloat(FromFloat<T>(x.at[i]));
  return result;
}

}  // namespace gemmd
