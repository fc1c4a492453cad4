// Factors that are copied before they are multiplied: with their prologue applied, with lines that start on 16 bytes,
// as the copy engine wants them, and along K where the tensor cores want that.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "plan/graph.h"
#include "plan/plan.h"

namespace gemmd {

inline bool PacksA(Packing packing) { return packing == Packing::kA || packing == Packing::kBoth; }
inline bool PacksB(Packing packing) { return packing == Packing::kB || packing == Packing::kBoth; }

// Whether a factor's lines run along K: those of a row-major A, or of a column-major B.
bool RunsAlongK(const Graph& graph, bool is_a);

// Whether the tensor cores take factors of that type along K alone (PTX ISA, wgmma: only 16-bit operands may be
// transposed).
bool OnlyAlongK(DType dtype);

// As how many tensors wgmma has each factor: two for tf32x3, where an element is the sum of two of tf32, its leading
// bits and what those leave; else one.
int PartsOf(const Graph& graph);

// OK if what is packed may gain by it, and nothing that is not stands in the way of wgmma's copies. Errors:
// InvalidArgument.
absl::Status CheckPacking(Packing packing, const Graph& graph, const Assumptions& assumptions);

// What a packing makes, an intermediate of the plan: in the layout of the factor, or along K.
struct PackedTensor {
  int factor = 0;  // index into the graph's inputs
  DType dtype = DType::kF32;
  Layout layout = Layout::kRowMajor;
  Axes axes{};
};
// A's, then B's; of each its parts in their order.
std::vector<PackedTensor> PackedTensors(const Graph& graph, Packing packing);

// The product that is left. What was packed is an input behind the graph's own, without a prologue: its first part,
// which the second follows.
Graph AfterPacking(const Graph& graph, Packing packing);

// What that product may assume of its inputs: what was packed has lines that start on kAccessBytes.
Assumptions AfterPacking(const Graph& graph, Packing packing, const Assumptions& assumptions);

// The kernel that packs one factor, as a graph without a product: its chain is the factor's prologue and a store for
// each part, its matrix the factor, with what become the packed tensor's lines as rows: column-major where those are
// not the factor's own. Requires kA or kB.
Graph PackGraph(const Graph& graph, Packing factor);

// The axes of that matrix: from packed line to packed line, and along one.
Axes LineAxes(const Graph& graph, Packing factor);

}  // namespace gemmd
