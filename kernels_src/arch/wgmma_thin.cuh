// wgmma of few columns: d[64 x kN] += a[64 x 16] * b[16 x kN], 16-bit operands from shared memory, f32 accumulators.
// Here the compiler keeps them, they are few; where they are many the PTX text names them (arch/wgmma.cuh).
#pragma once

#include "arch/hopper.cuh"
#include "numeric/types.cuh"

namespace gemmd::hopper {

template <typename T>
struct WgmmaType;
template <>
struct WgmmaType<Half> {
  static constexpr bool kIsHalf = true;
};
template <>
struct WgmmaType<BFloat16> {
  static constexpr bool kIsHalf = false;
};

// clang-format off
#define GEMMD_8(DO, I) DO(I), DO(I + 1), DO(I + 2), DO(I + 3), DO(I + 4), DO(I + 5), DO(I + 6), DO(I + 7)
#define GEMMD_SUM(I) "+f"(d[I])
#define GEMMD_NAMES_16 "%0, %1, %2, %3, %4, %5, %6, %7"
#define GEMMD_NAMES_32 GEMMD_NAMES_16 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define GEMMD_NAMES_64 GEMMD_NAMES_32 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define GEMMD_SUMS_16 GEMMD_8(GEMMD_SUM, 0)
#define GEMMD_SUMS_32 GEMMD_SUMS_16, GEMMD_8(GEMMD_SUM, 8)
#define GEMMD_SUMS_64 GEMMD_SUMS_32, GEMMD_8(GEMMD_SUM, 16), GEMMD_8(GEMMD_SUM, 24)
// clang-format on
#define GEMMD_MULTIPLY(TEXT, N, A, B, TRANSPOSE_A, TRANSPOSE_B)                                     \
  asm volatile("wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TEXT "." TEXT " {" GEMMD_NAMES_##N \
               "}, "                                                                                \
               "%" A ", %" B ", 1, 1, 1, %" TRANSPOSE_A ", %" TRANSPOSE_B ";"                       \
               : GEMMD_SUMS_##N                                                                     \
               : "l"(a), "l"(b), "n"(kTransposeA), "n"(kTransposeB))
// kTransposeA, kTransposeB: 1 where that operand is not K-contiguous.
#define GEMMD_THIN(N, A, B, TRANSPOSE_A, TRANSPOSE_B)                                                          \
  template <typename T, int kTransposeA, int kTransposeB>                                                      \
  __device__ __forceinline__ void MultiplyThin(float(&d)[N / 2], unsigned long long a, unsigned long long b) { \
    if constexpr (WgmmaType<T>::kIsHalf) {                                                                     \
      GEMMD_MULTIPLY("f16", N, A, B, TRANSPOSE_A, TRANSPOSE_B);                                                \
    } else {                                                                                                   \
      GEMMD_MULTIPLY("bf16", N, A, B, TRANSPOSE_A, TRANSPOSE_B);                                               \
    }                                                                                                          \
  }
GEMMD_THIN(16, "8", "9", "10", "11")
GEMMD_THIN(32, "16", "17", "18", "19")
GEMMD_THIN(64, "32", "33", "34", "35")

// Keeps the compiler from reading accumulators before they are waited for, or moving them while they are written.
template <int kCount>
__device__ __forceinline__ void FenceAccumulators(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

}  // namespace gemmd::hopper

#undef GEMMD_8
#undef GEMMD_SUM
#undef GEMMD_NAMES_16
#undef GEMMD_NAMES_32
#undef GEMMD_NAMES_64
#undef GEMMD_SUMS_16
#undef GEMMD_SUMS_32
#undef GEMMD_SUMS_64
#undef GEMMD_MULTIPLY
#undef GEMMD_THIN
