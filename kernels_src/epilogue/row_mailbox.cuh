// Where a warpgroup leaves, in shared memory, what it knows of its tile's rows, for the warp that publishes it.
#pragma once

#include "arch/hopper.cuh"
#include "numeric/statistics.cuh"

namespace gemmd::wgmma {

template <int kRows>
struct RowMailbox {
  unsigned char* words;
  hopper::Barrier* filled;   // every lane that knows rows has left them
  hopper::Barrier* emptied;  // every lane of the publisher has taken its rows

  // In kRows * 8 + 16 bytes.
  explicit __device__ __forceinline__ RowMailbox(unsigned char* memory)
      : words(memory), filled(reinterpret_cast<hopper::Barrier*>(memory + kRows * 8)), emptied(filled + 1) {}

  __device__ __forceinline__ void Init() const {
    hopper::InitBarrier(filled, 128 / 4);  // lanes 0, 4, … of a warpgroup
    hopper::InitBarrier(emptied, 32);
  }

  template <int kWords>
  __device__ __forceinline__ Words<kWords>* Of(int row) const {
    return reinterpret_cast<Words<kWords>*>(words) + row;
  }
};

}  // namespace gemmd::wgmma
