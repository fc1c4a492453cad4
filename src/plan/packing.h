// Factors that are copied before they are multiplied: with their prologue applied, and with lines that start on 16
// bytes, as the copy engine wants them.
#pragma once

#include <vector>

#include "plan/graph.h"
#include "plan/plan.h"

namespace gemmd {

inline bool PacksA(Packing packing) { return packing == Packing::kA || packing == Packing::kBoth; }
inline bool PacksB(Packing packing) { return packing == Packing::kB || packing == Packing::kBoth; }

// What a packing makes, in the layout of the factor: an intermediate of the plan.
struct PackedTensor {
  int factor = 0;  // index into the graph's inputs
  DType dtype = DType::kF32;
  Layout layout = Layout::kRowMajor;
  Axes axes{};
};
// A's, then B's.
std::vector<PackedTensor> PackedTensors(const Graph& graph, Packing packing);

// The product that is left. What was packed is an input behind the graph's own, without a prologue.
Graph AfterPacking(const Graph& graph, Packing packing);

// What that product may assume of its inputs: what was packed has lines that start on kAccessBytes.
Assumptions AfterPacking(const Graph& graph, Packing packing, const Assumptions& assumptions);

// The kernel that packs one factor, as a graph without a product: its chain is the factor's prologue and a store, its
// matrix the factor, lines as rows. Requires kA or kB.
Graph PackGraph(const Graph& graph, Packing factor);

// The axes of that matrix: from line to line, and along a line.
Axes LineAxes(const Graph& graph, Packing factor);

}  // namespace gemmd
