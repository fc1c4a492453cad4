// The operations of a chain, one functor each; the spec's operation table names them.
#pragma once

namespace gemmd {

struct Add {
  static __device__ __forceinline__ float Apply(float x, float y) { return x + y; }
};

struct Sub {
  static __device__ __forceinline__ float Apply(float x, float y) { return x - y; }
};

struct Mul {
  static __device__ __forceinline__ float Apply(float x, float y) { return x * y; }
};

// Propagates NaN, as fmaxf would not.
struct Relu {
  static __device__ __forceinline__ float Apply(float x) { return x < 0.0f ? 0.0f : x; }
};

// 1 / (1 + exp(-x)). The fast division returns 0 where the denominator passes 2^126, which is the limit.
struct Sigmoid {
  static __device__ __forceinline__ float Apply(float x) { return __fdividef(1.0f, 1.0f + expf(-x)); }
};

struct Silu {
  static __device__ __forceinline__ float Apply(float x) { return x * Sigmoid::Apply(x); }
};

struct Tanh {
  static __device__ __forceinline__ float Apply(float x) { return tanhf(x); }
};

// x * Phi(x) with the normal distribution's Phi through erfc, which keeps its digits in the negative tail.
struct GeluErf {
  static __device__ __forceinline__ float Apply(float x) {
    constexpr float kMinusSqrtHalf = -0.707106781186547524f;
    return 0.5f * x * erfcf(x * kMinusSqrtHalf);
  }
};

// 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), written as x * sigmoid(2 u).
struct GeluTanh {
  static __device__ __forceinline__ float Apply(float x) {
    constexpr float kTwoSqrtTwoOverPi = 1.59576912160573071f;
    constexpr float kCubic = 0.044715f;
    return x * Sigmoid::Apply(kTwoSqrtTwoOverPi * (x + kCubic * x * x * x));
  }
};

}  // namespace gemmd
