#include "tests/fuzz/problem_features.h"

#include <fmt/format.h>

#include <algorithm>

#include "spec/validate.h"

namespace gemmd {
namespace {

std::string OperationFeature(const OpTraits& traits) {
  if (traits.op_class == OpClass::kReduce) return fmt::format("op {} of rows", traits.name);
  return traits.form.empty() ? fmt::format("op {}", traits.name) : fmt::format("op {} {}", traits.name, traits.form);
}

void AddExtent(std::string_view name, const std::optional<std::int64_t>& literal, std::int64_t extent,
               std::set<std::string>& features) {
  if (!literal) features.insert(fmt::format("{} dynamic", name));
  if (extent <= 1) features.insert(fmt::format("{} = {}", name, extent));
  if (extent > 1 && extent % 8 != 0) features.insert(fmt::format("{} ragged", name));
}

void AddReference(const CanonicalSpec& canonical, std::string_view role, const Reference& reference,
                  std::set<std::string>& features) {
  if (reference.value >= 0) features.insert(fmt::format("{} value", role));
  if (reference.input < 0) return;
  const GraphInput& input = canonical.graph.inputs[static_cast<std::size_t>(reference.input)];
  features.insert(fmt::format("{} {} {}", role, Name(reference.broadcast), Name(input.dtype)));
  if (input.layout == Layout::kColumnMajor) features.insert(fmt::format("{} column_major", role));
}

void AddChain(const CanonicalSpec& canonical, const std::vector<Node>& chain, std::set<std::string>& features) {
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Node& node = chain[i];
    features.insert(OperationFeature(Traits(node.kind)));
    if (node.input != static_cast<int>(i)) features.insert("graph");
    AddReference(canonical, "operand", node.Operand(), features);
    AddReference(canonical, "condition", node.condition, features);
    if (node.scale != 1.0f) features.insert("operand scaled");
  }
}

void AddRows(const Graph& graph, std::set<std::string>& features) {
  const std::vector<bool> columns = ColumnValues(graph.epilogue);
  int row_wise = 0;
  for (std::size_t i = 0; i < graph.epilogue.size(); ++i) {
    const Node& node = graph.epilogue[i];
    const bool per_row = columns[static_cast<std::size_t>(node.input)];
    const auto takes_statistic = [&](const Reference& reference) {
      return reference.value >= 0 && columns[static_cast<std::size_t>(reference.value)];
    };
    if (IsRowWise(node.kind) && ++row_wise == 2) features.insert("several along rows");
    if (IsRowWise(node.kind) && i > 0) features.insert("operation before rows");
    if (per_row && node.kind == OpKind::kStore) features.insert("statistic stored");
    if (per_row && node.kind != OpKind::kStore) features.insert("operation on a statistic");
    if (per_row && node.operand >= 0) features.insert("operand of a statistic");
    if (!per_row && std::ranges::any_of(node.References(), takes_statistic)) features.insert("statistic spread");
    if (!per_row && row_wise > 0 && node.kind == OpKind::kStore) features.insert("matrix stored after rows");
    if (graph.IsGated() && IsRowWise(node.kind)) features.insert("rows after a gate");
  }
}

void AddGate(const Graph& graph, std::set<std::string>& features) {
  features.insert(*graph.n / 2 % 8 == 0 ? "halves whole" : "halves ragged");
  for (const GraphOutput& output : graph.outputs) {
    if (graph.HasBothHalves(output)) features.insert("stored before a gate");
  }
  const auto gated = SplitAtGate(graph.epilogue);
  const auto add_operands = [&](const std::vector<Node>& chain, std::string_view place) {
    for (const Node& node : chain) {
      if (node.operand >= 0) features.insert(fmt::format("{} {} a gate", Name(node.broadcast), place));
    }
  };
  add_operands(gated->before, "before");
  add_operands(gated->after, "after");
}

}  // namespace

std::set<std::string> FeaturesOf(const DeviceProblem& problem, const CanonicalSpec& canonical) {
  std::set<std::string> features;
  const Graph& graph = canonical.graph;
  const GraphInput &a = graph.inputs[static_cast<std::size_t>(graph.a)],
                   &b = graph.inputs[static_cast<std::size_t>(graph.b)];
  features.insert(fmt::format("a {}", Name(a.layout)));
  features.insert(fmt::format("b {}", Name(b.layout)));
  if (graph.a == graph.b) features.insert("a is b");
  if (graph.precision != Precision::kDefault) features.insert(fmt::format("precision {}", Name(graph.precision)));
  if (const auto shape = ResolveShape(problem.spec, problem.dims); shape.ok()) {
    AddExtent("M", graph.m, shape->m, features);
    AddExtent("N", graph.n, shape->n, features);
    AddExtent("K", graph.k, shape->k, features);
  }
  for (const std::vector<Node>* chain : graph.Chains()) AddChain(canonical, *chain, features);
  if (!graph.prologue_a.empty()) features.insert("prologue a");
  if (!graph.prologue_b.empty()) features.insert("prologue b");
  for (const GraphOutput& output : graph.outputs) features.insert(fmt::format("output {}", Name(output.dtype)));
  if (graph.outputs.size() > 1) features.insert("several outputs");
  if (graph.IsGated()) AddGate(graph, features);
  AddRows(graph, features);
  for (const auto& [name, placement] : problem.placements) {
    if (placement.leading_dimension != 0) features.insert("leading dimension");
    if (placement.offset_elements != 0) features.insert("unaligned");
  }
  if (!problem.in_place.empty()) features.insert("in place");
  const ConfigPin& pin = problem.spec.config;
  features.insert(pin.schedule.empty() ? "planner's choice" : pin.tile.empty() ? "pinned schedule" : "pinned tile");
  return features;
}

std::set<std::string> OperationFeatures() {
  std::set<std::string> features;
  for (const OpTraits& traits : OpTable()) features.insert(OperationFeature(traits));
  return features;
}

}  // namespace gemmd
