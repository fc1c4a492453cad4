// The operations of a chain, one functor each; the spec's operation table names them.
#pragma once

namespace gemmd {

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

// x * Phi(x) = max(x, 0) - |x| * Phi(-|x|) with the normal distribution's Phi. log2(Phi(-z)) is smooth, so a polynomial
// and one exponential give Phi(-z) to 3 * 2^-24 for every z up to 13, past which it underflows. The coefficients are a
// least-maximum fit of log2(Phi(-z)) on [0, 13], the error weighted by 1 / (1 + z^2 / 2). max(x, 0) is a product, so
// that minus infinity becomes NaN, as in the formula: infinity times 0.
struct GeluErf {
  static __device__ __forceinline__ float Apply(float x) {
    constexpr float kLog2Phi[] = {-0x1.fffff6p-1f,  -0x1.26af8ap+0f,  -0x1.d62858p-2f,  -0x1.af5c4ap-5f,
                                  0x1.d90d5cp-8f,   -0x1.84f996p-13f, -0x1.b5d58ap-13f, 0x1.05aa0cp-14f,
                                  -0x1.563d44p-17f, 0x1.24c4f8p-20f,  -0x1.4e867ep-24f, 0x1.eceb56p-29f,
                                  -0x1.a7e812p-34f, 0x1.435db6p-40f};
    constexpr int kDegree = sizeof(kLog2Phi) / sizeof(float) - 1;
    const float z = fminf(fabsf(x), 13.0f);
    float log2_phi = kLog2Phi[kDegree];
#pragma unroll
    for (int i = kDegree - 1; i >= 0; --i) log2_phi = fmaf(log2_phi, z, kLog2Phi[i]);
    return fmaf(-z, Exp2(log2_phi), x * (x < 0.0f ? 0.0f : 1.0f));
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
