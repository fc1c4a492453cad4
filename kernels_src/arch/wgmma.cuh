// wgmma for one warpgroup: d[64 x kN] (+)= a[64 x 128 bytes] * b[128 bytes x kN] from shared memory, or a[64 x 32
// bytes] from registers by b[32 bytes x kN]; 16-bit or, from shared memory, tf32 operands, f32 accumulators in
// registers. The instruction's width is part of its name, so there is one struct a width.
#pragma once

#include "arch/hopper.cuh"
#include "numeric/types.cuh"

// The list of N / 2 accumulators and the numbers P0 … P6 of the operands after them are all that differs from width to
// width. A stage's four steps along K are one statement, for a statement costs the compiler its list of operands.
#define GEMMD_WGMMA_STEP(INSTRUCTION, REGISTERS, REST) INSTRUCTION " {" REGISTERS "}, a, b, p, 1, 1" REST ";\n"
#define GEMMD_WGMMA_NEXT(P3, P4) "add.s64 a, a, " P3 ";\nadd.s64 b, b, " P4 ";\n"
#define GEMMD_WGMMA_STEPS(INSTRUCTION, REGISTERS, REST, P0, P1, P2, P3, P4)                                 \
  "{\n.reg .pred p;\n.reg .b64 a, b;\nmov.b64 a, " P0 ";\nmov.b64 b, " P1 ";\nsetp.ne.b32 p, " P2           \
  ", 0;\n" GEMMD_WGMMA_STEP(INSTRUCTION, REGISTERS, REST) "setp.eq.b32 p, 0, 0;\n" GEMMD_WGMMA_NEXT(P3, P4) \
      GEMMD_WGMMA_STEP(INSTRUCTION, REGISTERS, REST) GEMMD_WGMMA_NEXT(P3, P4)                               \
          GEMMD_WGMMA_STEP(INSTRUCTION, REGISTERS, REST) GEMMD_WGMMA_NEXT(P3, P4)                           \
              GEMMD_WGMMA_STEP(INSTRUCTION, REGISTERS, REST) "}"

#define GEMMD_WGMMA(T, TEXT, N, REGISTERS, P0, P1, P2, P3, P4, P5, P6, ...)                                          \
  template <>                                                                                                        \
  struct Wgmma<T, N> {                                                                                               \
    template <int kTransposeA, int kTransposeB, int kStepA, int kStepB>                                              \
    static __device__ __forceinline__ void MultiplyStage(float (&d)[N / 2], unsigned long long a,                    \
                                                         unsigned long long b, int accumulate) {                     \
      asm volatile(GEMMD_WGMMA_STEPS("wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TEXT "." TEXT, REGISTERS,     \
                                     ", " P5 ", " P6, P0, P1, P2, P3, P4)                                            \
                   : __VA_ARGS__                                                                                     \
                   : "l"(a), "l"(b), "r"(accumulate), "n"(kStepA), "n"(kStepB), "n"(kTransposeA), "n"(kTransposeB)); \
    }                                                                                                                \
    template <int kTransposeB>                                                                                       \
    static __device__ __forceinline__ void MultiplyRegisters(float (&d)[N / 2], const unsigned (&a)[4],              \
                                                             unsigned long long b, int accumulate) {                 \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " P5                                                            \
                   ", 0;\n"                                                                                          \
                   "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TEXT "." TEXT " {" REGISTERS "}, {" P0 ", " P1  \
                   ", " P2 ", " P3 "}, " P4 ", p, 1, 1, " P6 ";\n}"                                                  \
                   : __VA_ARGS__                                                                                     \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate), "n"(kTransposeB));         \
    }                                                                                                                \
  }

// The same of f32 elements, of which the tensor cores take the 19 leading bits; both operands are K-contiguous.
#define GEMMD_WGMMA_TF32(N, REGISTERS, P0, P1, P2, P3, P4, P5, P6, ...)                                                \
  template <>                                                                                                          \
  struct Wgmma<float, N> {                                                                                             \
    template <int kTransposeA, int kTransposeB, int kStepA, int kStepB>                                                \
    static __device__ __forceinline__ void MultiplyStage(float (&d)[N / 2], unsigned long long a,                      \
                                                         unsigned long long b, int accumulate) {                       \
      static_assert(!kTransposeA && !kTransposeB);                                                                     \
      asm volatile(GEMMD_WGMMA_STEPS("wgmma.mma_async.sync.aligned.m64n" #N "k8.f32.tf32.tf32", REGISTERS, "", P0, P1, \
                                     P2, P3, P4)                                                                       \
                   : __VA_ARGS__                                                                                       \
                   : "l"(a), "l"(b), "r"(accumulate), "n"(kStepA), "n"(kStepB));                                       \
    }                                                                                                                  \
  }

// Expand the list of operands before it is split.
#define GEMMD_WGMMA_OF(...) GEMMD_WGMMA(__VA_ARGS__)
#define GEMMD_WGMMA_TF32_OF(...) GEMMD_WGMMA_TF32(__VA_ARGS__)

#define GEMMD_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define GEMMD_D16(i) GEMMD_D4(i), GEMMD_D4(i + 4), GEMMD_D4(i + 8), GEMMD_D4(i + 12)

namespace gemmd::hopper {

// kTransposeA, kTransposeB: 1 where that operand is not K-contiguous; kStepA, kStepB: what 32 bytes along K add to its
// descriptor. With `accumulate` 0 the product replaces d. From registers, a warp's 16 rows of a are the A fragment of
// mma.m16n8k16.
template <typename T, int kN>
struct Wgmma;

#define GEMMD_REGISTERS_64                                                 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define GEMMD_OPERANDS_64 "%32", "%33", "%34", "%35", "%36", "%37", "%38"
GEMMD_WGMMA_OF(Half, "f16", 64, GEMMD_REGISTERS_64, GEMMD_OPERANDS_64, GEMMD_D16(0), GEMMD_D16(16));
GEMMD_WGMMA_OF(BFloat16, "bf16", 64, GEMMD_REGISTERS_64, GEMMD_OPERANDS_64, GEMMD_D16(0), GEMMD_D16(16));
GEMMD_WGMMA_TF32_OF(64, GEMMD_REGISTERS_64, GEMMD_OPERANDS_64, GEMMD_D16(0), GEMMD_D16(16));

#define GEMMD_REGISTERS_128                                                          \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define GEMMD_OPERANDS_128 "%64", "%65", "%66", "%67", "%68", "%69", "%70"
GEMMD_WGMMA_OF(Half, "f16", 128, GEMMD_REGISTERS_128, GEMMD_OPERANDS_128, GEMMD_D16(0), GEMMD_D16(16), GEMMD_D16(32),
               GEMMD_D16(48));
GEMMD_WGMMA_OF(BFloat16, "bf16", 128, GEMMD_REGISTERS_128, GEMMD_OPERANDS_128, GEMMD_D16(0), GEMMD_D16(16),
               GEMMD_D16(32), GEMMD_D16(48));
GEMMD_WGMMA_TF32_OF(128, GEMMD_REGISTERS_128, GEMMD_OPERANDS_128, GEMMD_D16(0), GEMMD_D16(16), GEMMD_D16(32),
                    GEMMD_D16(48));

#define GEMMD_REGISTERS_192                                                          \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define GEMMD_OPERANDS_192 "%96", "%97", "%98", "%99", "%100", "%101", "%102"
GEMMD_WGMMA_OF(Half, "f16", 192, GEMMD_REGISTERS_192, GEMMD_OPERANDS_192, GEMMD_D16(0), GEMMD_D16(16), GEMMD_D16(32),
               GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80));
GEMMD_WGMMA_OF(BFloat16, "bf16", 192, GEMMD_REGISTERS_192, GEMMD_OPERANDS_192, GEMMD_D16(0), GEMMD_D16(16),
               GEMMD_D16(32), GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80));
GEMMD_WGMMA_TF32_OF(192, GEMMD_REGISTERS_192, GEMMD_OPERANDS_192, GEMMD_D16(0), GEMMD_D16(16), GEMMD_D16(32),
                    GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80));

#define GEMMD_REGISTERS_256                                                                      \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                       \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "             \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "             \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "             \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "             \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "             \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define GEMMD_OPERANDS_256 "%128", "%129", "%130", "%131", "%132", "%133", "%134"
GEMMD_WGMMA_OF(Half, "f16", 256, GEMMD_REGISTERS_256, GEMMD_OPERANDS_256, GEMMD_D16(0), GEMMD_D16(16), GEMMD_D16(32),
               GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80), GEMMD_D16(96), GEMMD_D16(112));
GEMMD_WGMMA_OF(BFloat16, "bf16", 256, GEMMD_REGISTERS_256, GEMMD_OPERANDS_256, GEMMD_D16(0), GEMMD_D16(16),
               GEMMD_D16(32), GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80), GEMMD_D16(96), GEMMD_D16(112));
GEMMD_WGMMA_TF32_OF(256, GEMMD_REGISTERS_256, GEMMD_OPERANDS_256, GEMMD_D16(0), GEMMD_D16(16), GEMMD_D16(32),
                    GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80), GEMMD_D16(96), GEMMD_D16(112));

}  // namespace gemmd::hopper

#undef GEMMD_D4
#undef GEMMD_D16
#undef GEMMD_WGMMA
#undef GEMMD_WGMMA_STEP
#undef GEMMD_WGMMA_NEXT
#undef GEMMD_WGMMA_STEPS
#undef GEMMD_WGMMA_OF
#undef GEMMD_WGMMA_TF32
#undef GEMMD_WGMMA_TF32_OF
#undef GEMMD_REGISTERS_64
#undef GEMMD_REGISTERS_128
#undef GEMMD_REGISTERS_192
#undef GEMMD_REGISTERS_256
#undef GEMMD_OPERANDS_64
#undef GEMMD_OPERANDS_128
#undef GEMMD_OPERANDS_192
#undef GEMMD_OPERANDS_256
