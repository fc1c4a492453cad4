#include <string_view>

#include "base/digest.h"
#include "plan/graph.h"

namespace gemmd {
namespace {

void AddExtent(Digest& digest, std::string_view tag, const std::optional<std::int64_t>& extent) {
  digest.Add(tag, extent ? *extent : std::int64_t{-1});  // a literal extent is never negative
}

// Enumerators go in by name, so that their order in the source is free to change.
void AddChain(Digest& digest, std::string_view tag, const std::vector<Node>& chain) {
  digest.Add(tag, static_cast<std::int64_t>(chain.size()));
  for (const Node& node : chain) {
    const OpTraits& traits = Traits(node.kind);
    digest.Add("op", traits.name).Add("form", traits.form).Add("input", std::int64_t{node.input});
    digest.Add("has_literal", std::int64_t{node.literal.has_value()}).AddFloat("literal", node.literal.value_or(0.0f));
    digest.Add("operand", std::int64_t{node.operand}).AddFloat("scale", node.scale);
    digest.Add("broadcast", Name(node.broadcast));
    if (node.operand_value >= 0) digest.Add("operand_value", std::int64_t{node.operand_value});
    if (node.condition != Reference{}) {
      digest.Add("condition", std::int64_t{node.condition.input}).Add("broadcast", Name(node.condition.broadcast));
      digest.Add("condition_value", std::int64_t{node.condition.value});
    }
    digest.Add("dtype", Name(node.dtype)).Add("output", std::int64_t{node.output});
    for (const float param : node.params) digest.AddFloat("param", param);  // as many as the operation has
  }
}

}  // namespace

std::string SpecId(const Graph& graph) {
  Digest digest("spec_id");
  AddExtent(digest, "m", graph.m);
  AddExtent(digest, "n", graph.n);
  AddExtent(digest, "k", graph.k);
  digest.Add("a", std::int64_t{graph.a}).Add("b", std::int64_t{graph.b});
  digest.Add("precision", Name(graph.precision)).Add("deterministic", std::int64_t{graph.deterministic});
  digest.Add("inputs", static_cast<std::int64_t>(graph.inputs.size()));
  for (const GraphInput& input : graph.inputs) {
    digest.Add("dtype", Name(input.dtype)).Add("layout", Name(input.layout)).Add("axes", Name(input.axes));
  }
  digest.Add("outputs", static_cast<std::int64_t>(graph.outputs.size()));
  for (const GraphOutput& output : graph.outputs) {
    digest.Add("dtype", Name(output.dtype)).Add("axes", Name(output.axes));
  }
  AddChain(digest, "prologue_a", graph.prologue_a);
  AddChain(digest, "prologue_b", graph.prologue_b);
  AddChain(digest, "epilogue", graph.epilogue);
  return digest.FinishHex();
}

}  // namespace gemmd
