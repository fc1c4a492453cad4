#include <bit>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "plan/artifact_json.h"
#include "plan/graph.h"

namespace gemmd {
namespace {

using nlohmann::json;

constexpr int kGraphVersion = 3;

template <typename T>
json OrNull(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json ToJson(const Node& node) {
  const OpTraits& traits = Traits(node.kind);
  json params = json::array();  // as bits: JSON has no infinity
  for (const float param : node.params) params.push_back(std::bit_cast<std::uint32_t>(param));
  return {{"op", traits.name},       {"form", traits.form},       {"input", node.input},
          {"operand", node.operand}, {"scale", node.scale},       {"broadcast", Name(node.broadcast)},
          {"params", params},        {"dtype", Name(node.dtype)}, {"literal", OrNull(node.literal)},
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

// The operand, literal and parameters that the kind takes, and no others: later stages index by them.
bool IsWellFormed(const Node& node, const std::vector<GraphInput>& inputs) {
  if (node.operand >= 0 && inputs[node.operand].axes.size() != RankOf(node.broadcast)) return false;
  if (node.params.size() != Traits(node.kind).params.size()) return false;
  const OpClass op_class = Traits(node.kind).op_class;
  if (op_class != OpClass::kBinary) return !node.literal && node.operand < 0;
  return node.literal.has_value() != (node.operand >= 0);
}

// `outputs`: how many the chain may store to; none for a prologue.
std::vector<Node> ReadChain(ArtifactReader& reader, const json& list, const Graph& graph, std::size_t outputs) {
  const int inputs = static_cast<int>(graph.inputs.size()), last_output = static_cast<int>(outputs) - 1;
  std::vector<Node> chain;
  for (const json& entry : list) {
    Node node;
    const OpTraits* traits = FindOp(reader.Text(entry, "op"), reader.Text(entry, "form"));
    if (traits == nullptr) {
      reader.Fail("op");
      return chain;
    }
    node.kind = traits->kind;
    node.input = reader.Int(entry, "input", 0, static_cast<int>(chain.size()));
    node.literal = reader.OptionalFloat(entry, "literal");
    node.operand = reader.Int(entry, "operand", -1, inputs - 1);
    node.scale = reader.Float(entry, "scale");
    node.params = reader.FloatBits(entry, "params");
    node.dtype = reader.Named<DType>(entry, "dtype", DTypeFromName);
    const bool stores = node.kind == OpKind::kStore;
    node.output = reader.Int(entry, "output", stores ? 0 : -1, stores ? last_output : -1);
    node.broadcast = reader.Named<Broadcast>(entry, "broadcast", BroadcastFromName);
    if (!reader.status().ok() || !IsWellFormed(node, graph.inputs)) {
      reader.Fail("operand");
      return chain;
    }
    chain.push_back(node);
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
  for (const GraphOutput& output : graph.outputs) root["outputs"].push_back({{"dtype", Name(output.dtype)}});
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
    graph.outputs.push_back({reader.Named<DType>(output, "dtype", DTypeFromName)});
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
