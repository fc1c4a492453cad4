#include "plan/facts.h"

#include "plan/cost_model.h"

namespace gemmd {
namespace {

std::int64_t BytesOf(DType dtype, const Axes& axes, const Graph& graph) {
  std::int64_t bytes = SizeBytes(dtype);
  for (const Axis axis : axes) bytes *= graph.ExtentOf(axis).value_or(0);
  return bytes;
}

}  // namespace

GemmShape NominalShape(const Graph& graph) {
  return {graph.m.value_or(kNominalExtent), graph.n.value_or(kNominalExtent), graph.k.value_or(kNominalExtent)};
}

PlanFacts FactsOf(const Graph& dynamic, const GemmShape& shape) {
  Graph graph = dynamic;
  graph.m = shape.m;
  graph.n = shape.n;
  graph.k = shape.k;
  PlanFacts facts{
      .shape = shape,
      .factors = graph.inputs[static_cast<std::size_t>(graph.a)].dtype,
      .flop = 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k),
      .waits_for_memory = WaitsForMemory(graph),
      .row_reductions = {}};
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const bool is_factor = static_cast<int>(i) == graph.a || static_cast<int>(i) == graph.b;
    (is_factor ? facts.factor_bytes : facts.operand_bytes) +=
        BytesOf(graph.inputs[i].dtype, graph.inputs[i].axes, graph);
  }
  for (const GraphOutput& output : graph.outputs) facts.output_bytes += BytesOf(output.dtype, output.axes, graph);
  bool gated = false;
  for (const Node& node : graph.epilogue) {
    gated = gated || Traits(node.kind).op_class == OpClass::kGate;
    if (IsRowWise(node.kind)) facts.row_reductions.push_back({node.kind, gated ? shape.n / 2 : shape.n});
  }
  return facts;
}

}  // namespace gemmd
