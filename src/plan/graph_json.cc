#include <bit>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "plan/artifact_json.h"
#include "plan/graph.h"

namespace gemmd {
namespace {

using nlohmann::json;

constexpr int kGraphVersion = 4;

template <typename T>
json OrNull(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json ToJson(const Node& node) {
  const OpTraits& traits = Traits(node.kind);
  json params = json::array();  // as bits: JSON has no infinity
  for (const float param : node.params) params.push_back(std::bit_cast<std::uint32_t>(param));
  return {{"op", traits.name},
          {"form", traits.form},
          {"input", node.input},
          {"literal", OrNull(node.literal)},
          {"operand", node.operand},
          {"broadcast", Name(node.broadcast)},
          {"operand_value", node.operand_value},
          {"scale", node.scale},
          {"condition", node.condition.input},
          {"condition_broadcast", Name(node.condition.broadcast)},
          {"condition_value", node.condition.value},
          {"params", params},
          {"dtype", Name(node.dtype)},
          {"output", node.output}};
}

json ToJson(const std::vector<Node>& chain) {
  json list = json::array();
  for (const Node& node : chain) list.push_back(ToJson(node));
  return list;
}

std::optional<Broadcast> BroadcastFromName(std::string_view name) {
  for (Broadcast broadcast : {Broadcast::kScalar, Broadcast::kRow, Broadcast::kColumn, Broadcast::kFull}) {
    if (Name(broadcast) == name) return broadcast;
  }
  return std::nullopt;
}

std::size_t RankOf(Broadcast broadcast) {
  switch (broadcast) {
    case Broadcast::kScalar:
      return 0;
    case Broadcast::kRow:
    case Broadcast::kColumn:
      return 1;
    case Broadcast::kFull:
      return 2;
  }
  return 0;
}

// The arguments and parameters that the kind takes, and no others: later stages index by them.
bool IsWellFormed(const Node& node, const std::vector<GraphInput>& inputs) {
  for (const Reference& reference : node.References()) {
    if (reference.input >= 0 && inputs[reference.input].axes.size() != RankOf(reference.broadcast)) return false;
  }
  const int arguments = int{node.literal.has_value()} + int{node.operand >= 0} + int{node.operand_value >= 0};
  const int conditions = int{node.condition.input >= 0} + int{node.condition.value >= 0};
  return node.params.size() == Traits(node.kind).params.size() && arguments == int{TakesArgument(node.kind)} &&
         conditions == int{Traits(node.kind).op_class == OpClass::kSelect};
}

// Whether a node after a gate, of value `first_value`, takes nothing from before it, and one before (0) no half of N.
bool KeepsToItsHalf(const Node& node, const Graph& graph, int first_value) {
  const auto has_half = [](const Axes& axes) { return !axes.empty() && axes.back() == Axis::kHalfN; };
  const Axes stored = node.output >= 0 ? graph.outputs[node.output].axes : Axes{};
  if (stored.size() == 2 && has_half(stored) != (first_value > 0)) return false;
  for (const Reference& reference : node.References()) {
    if (reference.value >= 0 && reference.value < first_value) return false;
    if (reference.input >= 0 && first_value == 0 && has_half(graph.inputs[reference.input].axes)) return false;
  }
  return node.input >= first_value;
}

// Whether a node of an epilogue keeps to the shape of what it takes. `columns`: the chain's ColumnValues before it.
bool KeepsToItsShape(const Node& node, const Graph& graph, const std::vector<bool>& columns) {
  const bool per_row = columns[node.input];
  if (node.output >= 0 && (graph.outputs[node.output].axes.size() == 1) != per_row) return false;
  if (!per_row) return true;
  for (const Reference& reference : node.References()) {
    if (reference.value >= 0 && !columns[reference.value]) return false;
    const bool spreads = reference.broadcast == Broadcast::kRow || reference.broadcast == Broadcast::kFull;
    if (reference.input >= 0 && spreads) return false;
  }
  return !IsRowWise(node.kind);
}

// `outputs`: how many the chain may store to; none for a prologue.
std::vector<Node> ReadChain(ArtifactReader& reader, const json& list, const Graph& graph, std::size_t outputs) {
  const int inputs = static_cast<int>(graph.inputs.size()), last_output = static_cast<int>(outputs) - 1;
  std::vector<Node> chain;
  std::vector<bool> columns{false};  // the chain's ColumnValues
  int first_value = 0;               // that a node may take: what a gate makes, after it
  bool by_rows = false;              // whether there is a row-wise node
  for (const json& entry : list) {
    Node node;
    const OpTraits* traits = FindOp(reader.Text(entry, "op"), reader.Text(entry, "form"));
    if (traits == nullptr) {
      reader.Fail("op");
      return chain;
    }
    const int last_value = static_cast<int>(chain.size());
    node.input = reader.Int(entry, "input", 0, last_value);
    node.literal = reader.OptionalFloat(entry, "literal");
    node.operand = reader.Int(entry, "operand", -1, inputs - 1);
    node.broadcast = reader.Named<Broadcast>(entry, "broadcast", BroadcastFromName);
    node.operand_value = reader.Int(entry, "operand_value", -1, last_value);
    node.scale = reader.Float(entry, "scale");
    node.condition = {.input = reader.Int(entry, "condition", -1, inputs - 1),
                      .broadcast = reader.Named<Broadcast>(entry, "condition_broadcast", BroadcastFromName),
                      .value = reader.Int(entry, "condition_value", -1, last_value)};
    const bool has_argument = node.literal || node.operand >= 0 || node.operand_value >= 0;
    node.kind = has_argument ? traits->kind : WithoutArgument(traits->kind);
    node.params = reader.FloatBits(entry, "params");
    node.dtype = reader.Named<DType>(entry, "dtype", DTypeFromName);
    const bool stores = node.kind == OpKind::kStore;
    node.output = reader.Int(entry, "output", stores ? 0 : -1, stores ? last_output : -1);
    const bool gate = traits->op_class == OpClass::kGate;
    by_rows = by_rows || IsRowWise(node.kind);
    if (!reader.status().ok() || !IsWellFormed(node, graph.inputs) || !KeepsToItsHalf(node, graph, first_value) ||
        !KeepsToItsShape(node, graph, columns) || (by_rows && outputs == 0) ||
        (gate && (by_rows || first_value > 0 || outputs == 0 || graph.n.value_or(1) % 2 != 0))) {
      reader.Fail("operand");
      return chain;
    }
    chain.push_back(node);
    columns.push_back(MakesColumn(node, columns));
    if (gate) first_value = static_cast<int>(chain.size());
  }
  return chain;
}

std::optional<std::int64_t> ReadExtent(ArtifactReader& reader, const json& root, const char* field) {
  const auto extent = reader.OptionalInteger(root, field);
  if (extent && *extent < 0) reader.Fail(field);
  return extent;
}

}  // namespace

std::string GraphToJson(const Graph& graph) {
  json root = {{"version", kGraphVersion},
               {"m", OrNull(graph.m)},
               {"n", OrNull(graph.n)},
               {"k", OrNull(graph.k)},
               {"a", graph.a},
               {"b", graph.b},
               {"precision", Name(graph.precision)},
               {"deterministic", graph.deterministic},
               {"inputs", json::array()},
               {"outputs", json::array()},
               {"prologue_a", ToJson(graph.prologue_a)},
               {"prologue_b", ToJson(graph.prologue_b)},
               {"epilogue", ToJson(graph.epilogue)}};
  for (const GraphInput& input : graph.inputs) {
    root["inputs"].push_back(
        {{"dtype", Name(input.dtype)}, {"layout", Name(input.layout)}, {"axes", Name(input.axes)}});
  }
  for (const GraphOutput& output : graph.outputs) {
    root["outputs"].push_back({{"dtype", Name(output.dtype)}, {"axes", Name(output.axes)}});
  }
  return root.dump();
}

absl::StatusOr<Graph> GraphFromJson(std::string_view text) {
  ArtifactReader reader("graph");
  const json root = reader.Parse(text);
  Graph graph;
  reader.Int(root, "version", kGraphVersion, kGraphVersion);
  graph.m = ReadExtent(reader, root, "m");
  graph.n = ReadExtent(reader, root, "n");
  graph.k = ReadExtent(reader, root, "k");
  for (const json& input : reader.List(root, "inputs")) {
    graph.inputs.push_back({reader.Named<DType>(input, "dtype", DTypeFromName),
                            reader.Named<Layout>(input, "layout", LayoutFromName),
                            reader.Named<Axes>(input, "axes", AxesFromName)});
  }
  for (const json& output : reader.List(root, "outputs")) {
    graph.outputs.push_back(
        {reader.Named<DType>(output, "dtype", DTypeFromName), reader.Named<Axes>(output, "axes", AxesFromName)});
    const Axes& axes = graph.outputs.back().axes;
    if (axes.size() != 2 && axes != Axes{Axis::kM}) reader.Fail("axes");
  }
  const int last_input = static_cast<int>(graph.inputs.size()) - 1;
  graph.a = reader.Int(root, "a", 0, last_input);
  graph.b = reader.Int(root, "b", 0, last_input);
  graph.precision = reader.Named<Precision>(root, "precision", PrecisionFromName);
  graph.deterministic = reader.Bool(root, "deterministic");
  graph.prologue_a = ReadChain(reader, reader.List(root, "prologue_a"), graph, 0);
  graph.prologue_b = ReadChain(reader, reader.List(root, "prologue_b"), graph, 0);
  graph.epilogue = ReadChain(reader, reader.List(root, "epilogue"), graph, graph.outputs.size());
  GEMMD_RETURN_IF_ERROR(reader.status());
  return graph;
}

}  // namespace gemmd
