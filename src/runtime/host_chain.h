// A chain of operations on blocks of its matrix, on the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plan/graph.h"
#include "runtime/host_tensor.h"

namespace gemmd {

// The tensors of one launch; all by graph index.
struct HostTensors {
  std::span<const HostTensor> inputs, outputs;
  std::span<const float> scalars;
};

// Whether operations of the chain go along rows: its blocks are then of whole rows.
bool GoesAlongRows(const std::vector<Node>& chain);

// The chain with every value assigned to a scratch array that is free while the value lives. Immutable, so threads may
// share it; the graph must outlive it.
class HostChain {
 public:
  // `chain` is one of the graph's, or of those that it splits into; its result is its last value, or that given.
  HostChain(const Graph& graph, const std::vector<Node>& chain);
  HostChain(const Graph& graph, const std::vector<Node>& chain, int result);

  // Applies the chain to `given`, the row-major block of its matrix, and returns its result, which lasts as long as
  // `given` and until `scratch` is used again: as large as the block, or one element for each of its rows. Every
  // operand of the block is read before anything is stored, so an output may lie on an operand. `scratch` keeps its
  // memory between calls.
  std::span<const float> Run(const HostTensors& tensors, const Block& block, std::span<const float> given,
                             std::vector<std::vector<float>>* scratch) const;

 private:
  class Evaluation;
  std::vector<int> Lifetimes() const;

  const Graph& graph_;
  const std::vector<Node>& chain_;
  const int result_;
  std::vector<int> origin_;    // by value: the value it is a copy of (a store passes its value through), or itself
  std::vector<int> slot_;      // by value: its scratch array; -1 for value 0 and for copies
  std::vector<bool> columns_;  // by value: whether it has one element a row
  int slots_ = 0;              // beside them a chain has one for an operand and one for a condition
};

}  // namespace gemmd
