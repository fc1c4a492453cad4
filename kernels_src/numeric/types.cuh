// Storage types and their conversions to and from f32, as inline PTX: no CUDA header is included anywhere.
#pragma once

namespace gemmd {

using Int64 = long long;

// IEEE binary16 and bfloat16 as bits; arithmetic happens in f32.
struct Half {
  unsigned short bits;
};
struct BFloat16 {
  unsigned short bits;
};

__device__ __forceinline__ float ToFloat(float x) { return x; }

__device__ __forceinline__ float ToFloat(Half x) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
  return result;
}

__device__ __forceinline__ float ToFloat(BFloat16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }

// Rounding to nearest even.
template <typename T>
__device__ __forceinline__ T FromFloat(float x);

template <>
__device__ __forceinline__ float FromFloat<float>(float x) {
  return x;
}

template <>
__device__ __forceinline__ Half FromFloat<Half>(float x) {
  Half result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}

template <>
__device__ __forceinline__ BFloat16 FromFloat<BFloat16>(float x) {
  BFloat16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}

// An index: a whole number that f32 holds.
template <>
__device__ __forceinline__ int FromFloat<int>(float x) {
  return __float2int_rn(x);
}

// kCount elements that are moved as one access of up to 16 bytes.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T at[kCount];
};

}  // namespace gemmd
