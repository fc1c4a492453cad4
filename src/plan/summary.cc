#include <fmt/format.h>

#include "plan/graph.h"
#include "plan/row_kernels.h"

namespace gemmd {
namespace {

std::string ExtentText(const std::optional<std::int64_t>& extent, char letter) {
  return extent ? fmt::format("{}", *extent) : std::string(1, letter);
}

std::string FactorText(const GraphInput& input, const std::string& rows, const std::string& columns) {
  return fmt::format("{} [{},{}]{}", Name(input.dtype), rows, columns,
                     input.layout == Layout::kColumnMajor ? "^T" : "");
}

std::string ReferenceText(const Graph& graph, const Reference& reference) {
  if (reference.value >= 0) return fmt::format("v{}", reference.value);
  return fmt::format("{} {}", Name(reference.broadcast), Name(graph.inputs[reference.input].dtype));
}

// A literal, or "full f16 * 0.5".
std::string ArgumentText(const Graph& graph, const Node& node) {
  if (node.literal) return fmt::format("{}", *node.literal);
  const std::string text = ReferenceText(graph, node.Operand());
  return node.scale == 1.0f ? text : fmt::format("{} * {}", text, node.scale);
}

std::string NodeText(const Graph& graph, const Node& node) {
  const OpTraits& traits = Traits(node.kind);
  std::string text(traits.name);
  if (!traits.form.empty()) text += fmt::format(" {}", traits.form);
  for (const float param : node.params) text += fmt::format(" {}", param);
  switch (traits.op_class) {
    case OpClass::kUnary:
    case OpClass::kGate:
    case OpClass::kNormalize:
    case OpClass::kReduce:
      break;
    case OpClass::kBinary:
      text += " " + ArgumentText(graph, node);
      break;
    case OpClass::kSelect:
      text += fmt::format(" {} else {}", ReferenceText(graph, node.condition), ArgumentText(graph, node));
      break;
    case OpClass::kCast:
    case OpClass::kStore:
      text += fmt::format(" {}", Name(node.dtype));
      break;
  }
  return text;
}

// Operations that don't take the previous value say which they take: "gelu erf of v2".
std::string ChainText(const Graph& graph, const std::vector<Node>& chain) {
  std::string text;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (i > 0) text += ", ";
    text += NodeText(graph, chain[i]);
    if (chain[i].input != static_cast<int>(i)) text += fmt::format(" of v{}", chain[i].input);
  }
  return text;
}

}  // namespace

std::string Summary(const Graph& graph) {
  const std::string m = ExtentText(graph.m, 'M'), n = ExtentText(graph.n, 'N'), k = ExtentText(graph.k, 'K');
  if (graph.b < 0) {
    const GraphInput& factor = graph.inputs[graph.a];
    const auto extent = [&](int axis) {
      return ExtentText(graph.ExtentOf(factor.axes[axis]), Name({factor.axes[axis]})[0]);
    };
    return fmt::format("{} {} -> {}", ReducesRows(graph) ? "rows of" : "pack", FactorText(factor, extent(0), extent(1)),
                       ChainText(graph, graph.epilogue));
  }
  std::string text =
      fmt::format("{} x {}", FactorText(graph.inputs[graph.a], m, k), FactorText(graph.inputs[graph.b], k, n));
  if (graph.precision != Precision::kDefault) text += fmt::format(" ({})", Name(graph.precision));
  if (!graph.prologue_a.empty()) text += fmt::format("; A: {}", ChainText(graph, graph.prologue_a));
  if (!graph.prologue_b.empty()) text += fmt::format("; B: {}", ChainText(graph, graph.prologue_b));
  return fmt::format("{} -> {}", text, ChainText(graph, graph.epilogue));
}

}  // namespace gemmd
