// wgmma for one warpgroup: d[64 x kN] (+)= a[64 x 32 bytes] * b[32 bytes x kN], a from shared memory or from registers;
// 16-bit or, from shared memory, tf32 operands, f32 accumulators in registers. The instruction's width is part of its
// name, so there is one struct a width.
//
// Accumulators are registers that the PTX text names, d<block>_<group>_<0 … 15>, and the compiler sees only once they
// are taken: as operands of every instruction they would be a third of all that it has to do.
#pragma once

#include "arch/hopper.cuh"
#include "numeric/types.cuh"

// clang-format off
#define GEMMD_EACH_OF_8(DO, A, B, C, D, E, F, G, H) DO(A) DO(B) DO(C) DO(D) DO(E) DO(F) DO(G) DO(H)
// clang-format on
#define GEMMD_EACH_OF_16(DO)                                  \
  GEMMD_EACH_OF_8(DO, "0", "1", "2", "3", "4", "5", "6", "7") \
  GEMMD_EACH_OF_8(DO, "8", "9", "10", "11", "12", "13", "14", "15")

namespace gemmd::hopper {

// Makes room for the accumulators of two blocks of 64 rows; once in a kernel, outside of what is compiled twice.
__device__ __forceinline__ void DeclareAccumulators() {
  asm volatile(
      ".reg .f32 d0_0_<16>, d0_1_<16>, d0_2_<16>, d0_3_<16>, d0_4_<16>, d0_5_<16>, d0_6_<16>, d0_7_<16>;\n"
      ".reg .f32 d1_0_<16>, d1_1_<16>, d1_2_<16>, d1_3_<16>, d1_4_<16>, d1_5_<16>, d1_6_<16>, d1_7_<16>;\n"
      ".reg .f32 undefined;");
}

template <int kBlock, int kGroup>
__device__ __forceinline__ void ForgetAccumulators() {
#define GEMMD_FORGET(I) "mov.f32 d%0_%1_" I ", undefined;\n"
  asm volatile(GEMMD_EACH_OF_16(GEMMD_FORGET) : : "n"(kBlock), "n"(kGroup));
#undef GEMMD_FORGET
}

// Accumulators 16 * kGroup … 16 * kGroup + 15 of a block: per 8 columns two of row lane / 4, two of the row 8 below.
template <int kBlock, int kGroup>
__device__ __forceinline__ void TakeAccumulators(float* d) {
#define GEMMD_TAKE(I) "mov.b32 %" I ", d%16_%17_" I ";\n"
  asm volatile(GEMMD_EACH_OF_16(GEMMD_TAKE)
               : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3]), "=f"(d[4]), "=f"(d[5]), "=f"(d[6]), "=f"(d[7]),
                 "=f"(d[8]), "=f"(d[9]), "=f"(d[10]), "=f"(d[11]), "=f"(d[12]), "=f"(d[13]), "=f"(d[14]), "=f"(d[15])
               : "n"(kBlock), "n"(kGroup));
#undef GEMMD_TAKE
}
template <int kBlock, int kGroup>
__device__ __forceinline__ void PutAccumulators(const float* d) {
#define GEMMD_PUT(I) "mov.b32 d%16_%17_" I ", %" I ";\n"
  asm volatile(GEMMD_EACH_OF_16(GEMMD_PUT)
               :
               : "f"(d[0]), "f"(d[1]), "f"(d[2]), "f"(d[3]), "f"(d[4]), "f"(d[5]), "f"(d[6]), "f"(d[7]), "f"(d[8]),
                 "f"(d[9]), "f"(d[10]), "f"(d[11]), "f"(d[12]), "f"(d[13]), "f"(d[14]), "f"(d[15]), "n"(kBlock),
                 "n"(kGroup));
#undef GEMMD_PUT
}

// Into the accumulators of block kBlock. kTransposeA, kTransposeB: 1 where that operand is not K-contiguous. With
// `accumulate` 0 the product replaces what they hold. From registers, a warp's 16 rows of a are the A fragment of
// mma.m16n8k16.
template <typename T, int kN>
struct Wgmma;

// What the statements have in common: %0 is the block, %1 whether to accumulate.
#define GEMMD_INSTRUCTION(SHAPE_AND_TYPES, REGISTERS, REST) \
  "{\n.reg .pred p;\nsetp.ne.b32 p, %1, 0;\n"               \
  "wgmma.mma_async.sync.aligned." SHAPE_AND_TYPES " {" REGISTERS "}, " REST ";\n}"

#define GEMMD_WGMMA(T, TEXT, N, REGISTERS)                                                                        \
  template <>                                                                                                     \
  struct Wgmma<T, N> {                                                                                            \
    template <int kBlock, int kTransposeA, int kTransposeB>                                                       \
    static __device__ __forceinline__ void Multiply(unsigned long long a, unsigned long long b, int accumulate) { \
      asm volatile(GEMMD_INSTRUCTION("m64n" #N "k16.f32." TEXT "." TEXT, REGISTERS, "%2, %3, p, 1, 1, %4, %5")    \
                   :                                                                                              \
                   : "n"(kBlock), "r"(accumulate), "l"(a), "l"(b), "n"(kTransposeA), "n"(kTransposeB));           \
    }                                                                                                             \
    template <int kBlock, int kTransposeB>                                                                        \
    static __device__ __forceinline__ void MultiplyRegisters(const unsigned (&a)[4], unsigned long long b,        \
                                                             int accumulate) {                                    \
      asm volatile(                                                                                               \
          GEMMD_INSTRUCTION("m64n" #N "k16.f32." TEXT "." TEXT, REGISTERS, "{%2, %3, %4, %5}, %6, p, 1, 1, %7")   \
          :                                                                                                       \
          : "n"(kBlock), "r"(accumulate), "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(kTransposeB));  \
    }                                                                                                             \
  }

// The same of f32 elements, of which the tensor cores take the 19 leading bits; both operands are K-contiguous.
#define GEMMD_WGMMA_TF32(N, REGISTERS)                                                                            \
  template <>                                                                                                     \
  struct Wgmma<float, N> {                                                                                        \
    template <int kBlock, int kTransposeA, int kTransposeB>                                                       \
    static __device__ __forceinline__ void Multiply(unsigned long long a, unsigned long long b, int accumulate) { \
      static_assert(!kTransposeA && !kTransposeB);                                                                \
      asm volatile(GEMMD_INSTRUCTION("m64n" #N "k8.f32.tf32.tf32", REGISTERS, "%2, %3, p, 1, 1")                  \
                   :                                                                                              \
                   : "n"(kBlock), "r"(accumulate), "l"(a), "l"(b));                                               \
    }                                                                                                             \
  }

#define GEMMD_REGISTERS_16(I)                                                                         \
  "d%0_" I "_0, d%0_" I "_1, d%0_" I "_2, d%0_" I "_3, d%0_" I "_4, d%0_" I "_5, d%0_" I "_6, d%0_" I \
  "_7, "                                                                                              \
  "d%0_" I "_8, d%0_" I "_9, d%0_" I "_10, d%0_" I "_11, d%0_" I "_12, d%0_" I "_13, d%0_" I "_14, d%0_" I "_15"
#define GEMMD_REGISTERS_64 GEMMD_REGISTERS_16("0") ", " GEMMD_REGISTERS_16("1")
#define GEMMD_REGISTERS_128 GEMMD_REGISTERS_64 ", " GEMMD_REGISTERS_16("2") ", " GEMMD_REGISTERS_16("3")
#define GEMMD_REGISTERS_192 GEMMD_REGISTERS_128 ", " GEMMD_REGISTERS_16("4") ", " GEMMD_REGISTERS_16("5")
#define GEMMD_REGISTERS_256 GEMMD_REGISTERS_192 ", " GEMMD_REGISTERS_16("6") ", " GEMMD_REGISTERS_16("7")

#define GEMMD_WIDTH(N)                                   \
  GEMMD_WGMMA(Half, "f16", N, GEMMD_REGISTERS_##N);      \
  GEMMD_WGMMA(BFloat16, "bf16", N, GEMMD_REGISTERS_##N); \
  GEMMD_WGMMA_TF32(N, GEMMD_REGISTERS_##N)
GEMMD_WIDTH(64);
GEMMD_WIDTH(128);
GEMMD_WIDTH(192);
GEMMD_WIDTH(256);

}  // namespace gemmd::hopper

#undef GEMMD_EACH_OF_8
#undef GEMMD_EACH_OF_16
#undef GEMMD_INSTRUCTION
#undef GEMMD_WGMMA
#undef GEMMD_WGMMA_TF32
#undef GEMMD_REGISTERS_16
#undef GEMMD_REGISTERS_64
#undef GEMMD_REGISTERS_128
#undef GEMMD_REGISTERS_192
#undef GEMMD_REGISTERS_256
#undef GEMMD_WIDTH
