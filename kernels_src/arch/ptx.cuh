// The instructions of sm_80 and later that C++ has no word for.
#pragma once

#include "numeric/types.cuh"
#include "numeric/vec.cuh"

namespace gemmd::ptx {

// A pointer into shared memory as the 32-bit address that the instructions take.
__device__ __forceinline__ unsigned SharedAddress(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// A value that a warp's lanes share, said so that the compiler knows: what follows from it, branches above all, is in
// uniform registers then.
__device__ __forceinline__ int SameInWarp(int value) { return __shfl_sync(0xFFFFFFFFu, value, 0); }

// Copies 16 bytes to shared memory in the background; with `inside` false writes zeros and reads nothing.
__device__ __forceinline__ void CopyAsync16(unsigned target, const void* source, bool inside) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(target), "l"(source), "r"(inside ? 16 : 0)
               : "memory");
}

__device__ __forceinline__ void CommitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most kPending of this thread's committed groups are still in flight.
template <int kPending>
__device__ __forceinline__ void WaitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Four 8 x 8 matrices of 16-bit elements; lanes 8 i … 8 i + 7 give the rows' addresses of matrix i.
__device__ __forceinline__ void LoadMatrices(unsigned (&out)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(address)
               : "memory");
}

// The same, each matrix transposed on the way.
__device__ __forceinline__ void LoadMatricesTransposed(unsigned (&out)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(address)
               : "memory");
}

// Two 16-bit elements in one register, as fragments hold them; the first is the lower half. Packing rounds to nearest
// even.
template <typename T>
__device__ __forceinline__ Raw<T, 2> UnpackPair(unsigned pair) {
  return {{{static_cast<unsigned short>(pair)}, {static_cast<unsigned short>(pair >> 16)}}};
}

template <typename T>
__device__ __forceinline__ unsigned PackPair(float first, float second);

template <>
__device__ __forceinline__ unsigned PackPair<Half>(float first, float second) {
  unsigned pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}

template <>
__device__ __forceinline__ unsigned PackPair<BFloat16>(float first, float second) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}

// Rounded to the 11 bits of tf32, to nearest.
__device__ __forceinline__ float RoundToTf32(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits & 0xFFFFE000u);
}

// Adds to a counter that every SM sees, after all that the CTA wrote and synchronised on before; the old value.
__device__ __forceinline__ unsigned AddReleasing(unsigned* counter, unsigned value) {
  unsigned before;
  asm volatile("atom.add.acq_rel.gpu.global.u32 %0, [%1], %2;" : "=r"(before) : "l"(counter), "r"(value) : "memory");
  return before;
}

// The same without the old value, and without waiting for it.
__device__ __forceinline__ void NoteReleasing(unsigned* counter, unsigned value) {
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(counter), "r"(value) : "memory");
}

// Reads such a counter; what was written before it was added to is seen after.
__device__ __forceinline__ unsigned LoadAcquiring(const unsigned* counter) {
  unsigned value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(counter) : "memory");
  return value;
}

// Reads what another SM wrote, past this one's L1.
__device__ __forceinline__ float LoadFromL2(const float* source) {
  float value;
  asm volatile("ld.relaxed.gpu.global.f32 %0, [%1];" : "=f"(value) : "l"(source) : "memory");
  return value;
}

// The same of two consecutive ones, on a multiple of 8 bytes.
__device__ __forceinline__ Pack<float, 2> Load2FromL2(const float* source) {
  Pack<float, 2> values;
  asm volatile("ld.relaxed.gpu.global.v2.f32 {%0, %1}, [%2];"
               : "=f"(values.at[0]), "=f"(values.at[1])
               : "l"(source)
               : "memory");
  return values;
}

// The same of four consecutive ones, on a multiple of 16 bytes.
__device__ __forceinline__ Pack<float, 4> Load4FromL2(const float* source) {
  Pack<float, 4> values;
  asm volatile("ld.relaxed.gpu.global.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(values.at[0]), "=f"(values.at[1]), "=f"(values.at[2]), "=f"(values.at[3])
               : "l"(source)
               : "memory");
  return values;
}

// d += a * b on a 16 x 8 x 16 block, f32 accumulation.
template <typename T>
__device__ __forceinline__ void MultiplyAccumulate(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);

template <>
__device__ __forceinline__ void MultiplyAccumulate<Half>(float (&d)[4], const unsigned (&a)[4], unsigned b0,
                                                         unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <>
__device__ __forceinline__ void MultiplyAccumulate<BFloat16>(float (&d)[4], const unsigned (&a)[4], unsigned b0,
                                                             unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace gemmd::ptx
