// A product that the copy engine fetches, and the positions of a ring of shared-memory stages.
#pragma once

#include "arch/hopper.cuh"
#include "epilogue/workspace.cuh"

namespace gemmd::wgmma {

// One product whose operands are reached through tensor maps. Where they are in two parts, `a` and `b` are the high
// ones.
struct MappedProblem {
  const hopper::TensorMap* a;
  const hopper::TensorMap* b;
  int m, n, k;
  const hopper::TensorMap* low_a = nullptr;
  const hopper::TensorMap* low_b = nullptr;
  Workspace workspace = {};  // where the chain has row reductions, or clusters share K
};

// The ring's position: which stage, and the parity of its barriers' phase.
template <int kStages>
struct RingPosition {
  int stage = 0;
  unsigned parity = 0;

  __device__ __forceinline__ void Advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }

  // As many steps as another warpgroup's tile takes.
  __device__ __forceinline__ void Skip(int blocks) {
    const int next = stage + blocks;
    stage = next % kStages;
    parity ^= next / kStages & 1;
  }
};

template <typename Config>
struct Ring {
  unsigned char* stages;
  hopper::Barrier* full;   // the copies of a stage have landed
  hopper::Barrier* empty;  // every warp that reads a stage is done with it
};

}  // namespace gemmd::wgmma
