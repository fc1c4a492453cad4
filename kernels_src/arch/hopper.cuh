// The instructions of sm_90a: mbarriers, the tensor copy engine (TMA), register reallocation, wgmma bookkeeping.
#pragma once

#include "arch/ptx.cuh"

namespace gemmd::hopper {

// A tensor map as the driver encodes it (cuTensorMapEncodeTiled); only its address is ever used.
struct alignas(64) TensorMap {
  unsigned char opaque[128];
};

using Barrier = unsigned long long;  // an mbarrier object in shared memory

__device__ __forceinline__ void InitBarrier(Barrier* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(ptx::SharedAddress(barrier)), "r"(arrivals) : "memory");
}

// Makes initialised barriers visible to the async proxy and the cluster; a CTA or cluster barrier must follow.
__device__ __forceinline__ void FenceBarrierInit() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Lets the async proxy (the copy engine, wgmma) see what this thread wrote to shared memory.
__device__ __forceinline__ void FenceSharedForAsync() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

__device__ __forceinline__ void Arrive(Barrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(ptx::SharedAddress(barrier)) : "memory");
}

// Arrives and announces `bytes` that the copy engine will deliver before the phase can end.
__device__ __forceinline__ void ArriveExpecting(Barrier* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(ptx::SharedAddress(barrier)), "r"(bytes)
               : "memory");
}

// Waits until the phase of the given parity has completed.
__device__ __forceinline__ void Wait(Barrier* barrier, unsigned parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@done bra.uni finished;\n"
      "bra.uni again;\n"
      "finished:\n"
      "}" ::"r"(ptx::SharedAddress(barrier)),
      "r"(parity)
      : "memory");
}

__device__ __forceinline__ void PrefetchMap(const TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

// Copies the box at (x, y), x along the contiguous dimension, to shared memory; outside the tensor it writes zeros.
__device__ __forceinline__ void CopyBox(void* target, const TensorMap* map, Barrier* barrier, int x, int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
          ptx::SharedAddress(target)),
      "l"(map), "r"(ptx::SharedAddress(barrier)), "r"(x), "r"(y)
      : "memory");
}

// The same of what is read once, which leaves L2 first: it takes the place of what was read before it, not of dirty
// lines that would have to be written back meanwhile. Measured on an H200, whose L2 was full of others' writes: a read
// of 117 MB in 34 us, and in 38 without.
__device__ __forceinline__ void StreamBox(void* target, const TensorMap* map, Barrier* barrier, int x, int y) {
  unsigned long long policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4}], [%2], %5;" ::"r"(ptx::SharedAddress(target)),
      "l"(map), "r"(ptx::SharedAddress(barrier)), "r"(x), "r"(y), "l"(policy)
      : "memory");
}

template <int kRegisters>
__device__ __forceinline__ void GrowRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ __forceinline__ void ShrinkRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// Named barriers of a CTA (0 is __syncthreads): `threads` counts those that sync and those that arrive.
__device__ __forceinline__ void SyncNamed(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
__device__ __forceinline__ void ArriveNamed(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// Two 8 x 8 matrices of 16-bit elements from fragments; lanes 8 i … 8 i + 7 give the rows' addresses of matrix i.
__device__ __forceinline__ void StoreMatrices(unsigned address, unsigned m0, unsigned m1) {
  asm volatile("stmatrix.sync.aligned.m8n8.x2.shared.b16 [%0], {%1, %2};" ::"r"(address), "r"(m0), "r"(m1) : "memory");
}

// Orders register accesses before the wgmma that follow.
__device__ __forceinline__ void FenceWgmma() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void CommitWgmma() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kPending>
__device__ __forceinline__ void WaitWgmma() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// Describes a 128-byte-swizzled operand in shared memory for wgmma (PTX ISA, "Matrix-Descriptor Format"); offsets in
// bytes. For a K-contiguous tile the stride is from 8 lines to the next 8; for the other kind it is from 8 K steps to
// the next 8, and `leading` from 64 contiguous elements to the next 64.
__device__ __forceinline__ unsigned long long Descriptor(unsigned address, int leading, int stride) {
  constexpr unsigned long long kSwizzle128 = 1ull << 62;
  return static_cast<unsigned long long>((address & 0x3FFFF) >> 4) |
         static_cast<unsigned long long>(leading >> 4) << 16 | static_cast<unsigned long long>(stride >> 4) << 32 |
         kSwizzle128;
}

}  // namespace gemmd::hopper
