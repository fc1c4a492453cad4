// The operations of a chain, one functor each; the spec's operation table names them.
#pragma once

#include "numeric/types.cuh"

namespace gemmd {

__device__ __forceinline__ float Infinity() { return __int_as_float(0x7f800000); }

// 2^x to 2 ulp; results under the smallest normal number are 0.
__device__ __forceinline__ float Exp2(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

struct Add {
  static __device__ __forceinline__ float Apply(float x, float y) { return x + y; }
};

struct Sub {
  static __device__ __forceinline__ float Apply(float x, float y) { return x - y; }
};

struct Mul {
  static __device__ __forceinline__ float Apply(float x, float y) { return x * y; }
};

struct Div {
  static __device__ __forceinline__ float Apply(float x, float y) { return x / y; }
};

// Propagates NaN of either.
struct Maximum {
  static __device__ __forceinline__ float Apply(float x, float y) {
    float result;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(x), "f"(y));
    return result;
  }
};

// Propagates NaN of either.
struct Minimum {
  static __device__ __forceinline__ float Apply(float x, float y) {
    float result;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(x), "f"(y));
    return result;
  }
};

// The comparisons give 1 or 0; NaN differs from everything and compares with nothing.
struct Equal {
  static __device__ __forceinline__ float Apply(float x, float y) { return x == y ? 1.0f : 0.0f; }
};

struct NotEqual {
  static __device__ __forceinline__ float Apply(float x, float y) { return x != y ? 1.0f : 0.0f; }
};

struct Less {
  static __device__ __forceinline__ float Apply(float x, float y) { return x < y ? 1.0f : 0.0f; }
};

struct LessEqual {
  static __device__ __forceinline__ float Apply(float x, float y) { return x <= y ? 1.0f : 0.0f; }
};

struct Greater {
  static __device__ __forceinline__ float Apply(float x, float y) { return x > y ? 1.0f : 0.0f; }
};

struct GreaterEqual {
  static __device__ __forceinline__ float Apply(float x, float y) { return x >= y ? 1.0f : 0.0f; }
};

// A condition of NaN holds.
struct Where {
  static __device__ __forceinline__ float Apply(float x, float y, float condition) { return condition != 0.0f ? x : y; }
};

// Propagates NaN, as fmaxf would not.
struct Relu {
  static __device__ __forceinline__ float Apply(float x) { return Maximum::Apply(x, 0.0f); }
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

// x * Phi(x) = max(x, 0) - |x| * Phi(-|x|) with the normal distribution's Phi. log2(Phi(-z)) is smooth, so a polynomial
// and one exponential give Phi(-z); past `largest` it is what it is there. max(x, 0) is a product, so that minus
// infinity becomes NaN, as in the formula: infinity times 0.
template <int kTerms>
__device__ __forceinline__ float GeluFrom(float x, const float (&log2_phi)[kTerms], float largest) {
  const float z = fminf(fabsf(x), largest);
  float exponent = log2_phi[kTerms - 1];
#pragma unroll
  for (int i = kTerms - 2; i >= 0; --i) exponent = fmaf(exponent, z, log2_phi[i]);
  return fmaf(-z, Exp2(exponent), x * (x < 0.0f ? 0.0f : 1.0f));
}

// Phi(-z) to 3 * 2^-24 for every z up to 13, past which it underflows. The coefficients are a least-maximum fit of
// log2(Phi(-z)) on [0, 13], the error weighted by 1 / (1 + z^2 / 2).
struct GeluErf {
  static __device__ __forceinline__ float Apply(float x) {
    constexpr float kLog2Phi[] = {-0x1.fffff6p-1f,  -0x1.26af8ap+0f,  -0x1.d62858p-2f,  -0x1.af5c4ap-5f,
                                  0x1.d90d5cp-8f,   -0x1.84f996p-13f, -0x1.b5d58ap-13f, 0x1.05aa0cp-14f,
                                  -0x1.563d44p-17f, 0x1.24c4f8p-20f,  -0x1.4e867ep-24f, 0x1.eceb56p-29f,
                                  -0x1.a7e812p-34f, 0x1.435db6p-40f};
    return GeluFrom(x, kLog2Phi, 13.0f);
  }
};

// 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), written as x * sigmoid(2 u).
struct GeluTanh {
  // 2 u.
  static __device__ __forceinline__ float Inner(float x) {
    constexpr float kTwoSqrtTwoOverPi = 1.59576912160573071f;
    constexpr float kCubic = 0.044715f;
    return kTwoSqrtTwoOverPi * (x + kCubic * x * x * x);
  }
  static __device__ __forceinline__ float Apply(float x) { return x * Sigmoid::Apply(Inner(x)); }
};

struct Relu2 {
  static __device__ __forceinline__ float Apply(float x) { return x < 0.0f ? 0.0f : x * x; }
};

struct LeakyRelu {
  static __device__ __forceinline__ float Apply(float x, float slope) { return x > 0.0f ? x : slope * x; }
};

struct Elu {
  static __device__ __forceinline__ float Apply(float x, float alpha) { return x > 0.0f ? x : alpha * expm1f(x); }
};

// Propagates NaN.
struct Clamp {
  static __device__ __forceinline__ float Apply(float x, float low, float high) {
    return Minimum::Apply(Maximum::Apply(x, low), high);
  }
};

struct QuickGelu {
  static __device__ __forceinline__ float Apply(float x) { return x * Sigmoid::Apply(1.702f * x); }
};

struct Hardswish {
  static __device__ __forceinline__ float Apply(float x) {
    const float gate = x + 3.0f;
    return x * Clamp::Apply(gate, 0.0f, 6.0f) * (1.0f / 6.0f);
  }
};

struct Softcap {
  static __device__ __forceinline__ float Apply(float x, float cap) { return cap * tanhf(x / cap); }
};

// The larger of x and 0, and what exp(-|x|) adds to it: neither overflows.
struct Softplus {
  static __device__ __forceinline__ float Apply(float x) { return (x < 0.0f ? 0.0f : x) + log1pf(expf(-fabsf(x))); }
};

struct Erf {
  static __device__ __forceinline__ float Apply(float x) { return erff(x); }
};

struct Exp {
  static __device__ __forceinline__ float Apply(float x) { return expf(x); }
};

struct Log {
  static __device__ __forceinline__ float Apply(float x) { return logf(x); }
};

struct Sqrt {
  static __device__ __forceinline__ float Apply(float x) { return sqrtf(x); }
};

struct Rsqrt {
  static __device__ __forceinline__ float Apply(float x) { return rsqrtf(x); }
};

struct Abs {
  static __device__ __forceinline__ float Apply(float x) { return fabsf(x); }
};

struct Neg {
  static __device__ __forceinline__ float Apply(float x) { return -x; }
};

struct Square {
  static __device__ __forceinline__ float Apply(float x) { return x * x; }
};

// The gates: x of the first half of the columns, y of the second.
template <typename Activation>
struct Gate {
  static __device__ __forceinline__ float Apply(float x, float y) { return Activation::Apply(x) * y; }
};

using Swiglu = Gate<Silu>;
using GegluErf = Gate<GeluErf>;
using GegluTanh = Gate<GeluTanh>;
using Reglu = Gate<Relu>;

// What is rounded to T at once: Op, or a cheaper form of it that is off by a quarter of T's unit in the last place at
// most. Which operations have one: HasRoundedForm in spec/operation.h.
template <typename Op, typename T>
struct RoundedTo : Op {};

// Phi(-z) to 2^-13.5 where the result is a normal number, else to 2^-27; a fit on [0, 6].
template <>
struct RoundedTo<GeluErf, Half> {
  static __device__ __forceinline__ float Apply(float x) {
    constexpr float kLog2Phi[] = {-0x1.0007ecp+0f, -0x1.26305ep+0f, -0x1.db429ep-2f,
                                  -0x1.8b285cp-5f, 0x1.7de49ep-8f,  -0x1.5012f4p-12f};
    return GeluFrom(x, kLog2Phi, 6.0f);
  }
};

// Phi(-z) to 2^-10.9; a fit on [0, 13].
template <>
struct RoundedTo<GeluErf, BFloat16> {
  static __device__ __forceinline__ float Apply(float x) {
    constexpr float kLog2Phi[] = {-0x1.002fc6p+0f, -0x1.24b6b2p+0f,  -0x1.e395dep-2f, -0x1.6eccdap-5f,
                                  0x1.6b8dd8p-8f,  -0x1.c2d8b0p-12f, 0x1.36ceb6p-16f, -0x1.694866p-22f};
    return GeluFrom(x, kLog2Phi, 13.0f);
  }
};

// 1 / (1 + exp(-x)) to 2^-17: the exponent of two is rounded once, and may be 127. Under 2^-126 it is 0.
__device__ __forceinline__ float ShortSigmoid(float x) { return __fdividef(1.0f, 1.0f + Exp2(-1.44269504f * x)); }

template <typename T>
requires(sizeof(T) == 2) struct RoundedTo<Sigmoid, T> {
  static __device__ __forceinline__ float Apply(float x) { return ShortSigmoid(x); }
};

template <typename T>
requires(sizeof(T) == 2) struct RoundedTo<Silu, T> {
  static __device__ __forceinline__ float Apply(float x) { return x * ShortSigmoid(x); }
};

template <typename T>
requires(sizeof(T) == 2) struct RoundedTo<QuickGelu, T> {
  static __device__ __forceinline__ float Apply(float x) { return x * ShortSigmoid(1.702f * x); }
};

template <typename T>
requires(sizeof(T) == 2) struct RoundedTo<GeluTanh, T> {
  static __device__ __forceinline__ float Apply(float x) { return x * ShortSigmoid(GeluTanh::Inner(x)); }
};

template <typename Activation, typename T>
struct RoundedTo<Gate<Activation>, T> : Gate<RoundedTo<Activation, T>> {};

// The backward operations: x is the gradient and y what the activation saw.
// Where y is NaN the gradient passes, as in PyTorch.
struct DRelu {
  static __device__ __forceinline__ float Apply(float x, float y) { return y <= 0.0f ? 0.0f : x; }
};

// gelu'(y) = Phi(y) + y phi(y), of the normal distribution and its density.
struct DGeluErf {
  static __device__ __forceinline__ float Apply(float x, float y) {
    const float density = 0.398942280401432678f * expf(-0.5f * y * y);
    const float below = 0.5f + 0.5f * erff(0.707106781186547524f * y);
    return x * fmaf(y, density, below);
  }
};

// s(z) and s(z) s(-z) of the logistic function s, the latter without the cancellation of 1 - s.
struct Logistic {
  float value, slope;
  static __device__ __forceinline__ Logistic At(float z) {
    const float e = expf(-fabsf(z)), r = __fdividef(1.0f, 1.0f + e);
    return {z < 0.0f ? e * r : r, e * r * r};
  }
};

struct DSilu {
  static __device__ __forceinline__ float Apply(float x, float y) {
    const Logistic s = Logistic::At(y);
    return x * fmaf(y, s.slope, s.value);
  }
};

// gelu is y s(u) with u = 2 sqrt(2 / pi) (y + 0.044715 y^3). Past |y| = 16 the slope of s is 0 and must not meet an
// overflowing u'.
struct DGeluTanh {
  static __device__ __forceinline__ float Apply(float x, float y) {
    constexpr float kTwoSqrtTwoOverPi = 1.59576912160573071f;
    constexpr float kCubic = 0.044715f;
    const Logistic s = Logistic::At(kTwoSqrtTwoOverPi * (y + kCubic * y * y * y));
    const float z = fminf(fabsf(y), 16.0f);
    const float inner = kTwoSqrtTwoOverPi * (1.0f + 3.0f * kCubic * z * z);
    return x * fmaf(y * s.slope, inner, s.value);
  }
};

}  // namespace gemmd
