// What a graph asks of a device, in numbers: what a plan is chosen by.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/graph.h"

namespace gemmd {

// A normalisation or reduction of rows.
struct RowReductionFact {
  OpKind kind = OpKind::kSoftmax;
  std::int64_t width = 0;  // columns that a row has there
  friend bool operator==(const RowReductionFact&, const RowReductionFact&) = default;
};

struct PlanFacts {
  GemmShape shape;
  DType factors = DType::kF32;     // of A; B has the same
  double flop = 0;                 // of the product
  std::int64_t factor_bytes = 0;   // of A and B; once where they are one tensor
  std::int64_t operand_bytes = 0;  // of what the chains read beside them
  std::int64_t output_bytes = 0;
  bool waits_for_memory = false;  // rather than for multipliers
  std::vector<RowReductionFact> row_reductions;
  friend bool operator==(const PlanFacts&, const PlanFacts&) = default;
};

// For launches of that shape, whose literal dims are the graph's.
PlanFacts FactsOf(const Graph& graph, const GemmShape& shape);

// The extents of the graph, nominal ones (cost_model.h) where a launch chooses them.
GemmShape NominalShape(const Graph& graph);

}  // namespace gemmd
