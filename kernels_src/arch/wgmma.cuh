// wgmma for one warpgroup: d[64 x kN] (+)= a[64 x 16] * b[16 x kN], 16-bit operands from shared memory, f32
// accumulators in registers. The instruction's width is part of its name, so there is one function a width.
#pragma once

#include "arch/hopper.cuh"
#include "numeric/types.cuh"

// The list of N / 2 accumulators is the only thing that differs from width to width.
#define GEMMD_WGMMA(T, TEXT, N, REGISTERS, A, B, SCALE, TA, TB, ...)                                               \
  template <>                                                                                                      \
  struct Wgmma<T, N> {                                                                                             \
    template <int kTransposeA, int kTransposeB>                                                                    \
    static __device__ __forceinline__ void Multiply(float (&d)[N / 2], unsigned long long a, unsigned long long b, \
                                                    int accumulate) {                                              \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " SCALE                                                       \
                   ", 0;\n"                                                                                        \
                   "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TEXT "." TEXT " {" REGISTERS "}, " A ", " B   \
                   ", p, 1, 1, " TA ", " TB ";\n}"                                                                 \
                   : __VA_ARGS__                                                                                   \
                   : "l"(a), "l"(b), "r"(accumulate), "n"(kTransposeA), "n"(kTransposeB));                         \
    }                                                                                                              \
  }

#define GEMMD_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define GEMMD_D16(i) GEMMD_D4(i), GEMMD_D4(i + 4), GEMMD_D4(i + 8), GEMMD_D4(i + 12)

namespace gemmd::hopper {

// kTransposeA, kTransposeB: 1 where that operand is not K-contiguous. With `accumulate` 0 the product replaces d.
template <typename T, int kN>
struct Wgmma;

#define GEMMD_REGISTERS_64                                                 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
GEMMD_WGMMA(Half, "f16", 64, GEMMD_REGISTERS_64, "%32", "%33", "%34", "%35", "%36", GEMMD_D16(0), GEMMD_D16(16));
GEMMD_WGMMA(BFloat16, "bf16", 64, GEMMD_REGISTERS_64, "%32", "%33", "%34", "%35", "%36", GEMMD_D16(0), GEMMD_D16(16));

#define GEMMD_REGISTERS_128                                                          \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
GEMMD_WGMMA(Half, "f16", 128, GEMMD_REGISTERS_128, "%64", "%65", "%66", "%67", "%68", GEMMD_D16(0), GEMMD_D16(16),
            GEMMD_D16(32), GEMMD_D16(48));
GEMMD_WGMMA(BFloat16, "bf16", 128, GEMMD_REGISTERS_128, "%64", "%65", "%66", "%67", "%68", GEMMD_D16(0), GEMMD_D16(16),
            GEMMD_D16(32), GEMMD_D16(48));

#define GEMMD_REGISTERS_192                                                          \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
GEMMD_WGMMA(Half, "f16", 192, GEMMD_REGISTERS_192, "%96", "%97", "%98", "%99", "%100", GEMMD_D16(0), GEMMD_D16(16),
            GEMMD_D16(32), GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80));
GEMMD_WGMMA(BFloat16, "bf16", 192, GEMMD_REGISTERS_192, "%96", "%97", "%98", "%99", "%100", GEMMD_D16(0), GEMMD_D16(16),
            GEMMD_D16(32), GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80));

#define GEMMD_REGISTERS_256                                                                      \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                       \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "             \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "             \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "             \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "             \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "             \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
GEMMD_WGMMA(Half, "f16", 256, GEMMD_REGISTERS_256, "%128", "%129", "%130", "%131", "%132", GEMMD_D16(0), GEMMD_D16(16),
            GEMMD_D16(32), GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80), GEMMD_D16(96), GEMMD_D16(112));
GEMMD_WGMMA(BFloat16, "bf16", 256, GEMMD_REGISTERS_256, "%128", "%129", "%130", "%131", "%132", GEMMD_D16(0),
            GEMMD_D16(16), GEMMD_D16(32), GEMMD_D16(48), GEMMD_D16(64), GEMMD_D16(80), GEMMD_D16(96), GEMMD_D16(112));

}  // namespace gemmd::hopper

#undef GEMMD_D4
#undef GEMMD_D16
#undef GEMMD_WGMMA
#undef GEMMD_REGISTERS_64
#undef GEMMD_REGISTERS_128
#undef GEMMD_REGISTERS_192
#undef GEMMD_REGISTERS_256
