// CTAs of one cluster, which read each other's shared memory: sm_90 and later.
#pragma once

#include "arch/ptx.cuh"

namespace gemmd::cluster {

__device__ __forceinline__ unsigned Rank() {
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

// Every thread of every CTA of the cluster; what any of them wrote to shared memory before, all see after.
__device__ __forceinline__ void Synchronise() {
  asm volatile("barrier.cluster.arrive.release;\n\tbarrier.cluster.wait.acquire;" ::: "memory");
}

// The two halves of a barrier after which all CTAs have begun; it shows them no memory.
__device__ __forceinline__ void ArriveRelaxed() { asm volatile("barrier.cluster.arrive.relaxed;" ::: "memory"); }
__device__ __forceinline__ void Wait() { asm volatile("barrier.cluster.wait;" ::: "memory"); }

// Where another CTA of the cluster has what this one has at a shared address.
__device__ __forceinline__ unsigned AddressIn(unsigned address, int rank) {
  unsigned there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
  return there;
}

// Four floats at such an address, on a multiple of 16 bytes.
__device__ __forceinline__ Pack<float, 4> Load4(unsigned address) {
  Pack<float, 4> values;
  asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(values.at[0]), "=f"(values.at[1]), "=f"(values.at[2]), "=f"(values.at[3])
               : "r"(address)
               : "memory");
  return values;
}

__device__ __forceinline__ void Store4(unsigned address, const Pack<float, 4>& values) {
  asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(address), "f"(values.at[0]), "f"(values.at[1]),
               "f"(values.at[2]), "f"(values.at[3])
               : "memory");
}

}  // namespace gemmd::cluster
