#include "codegen/chain_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codegen/chain_writer.h"

namespace gemmd {
namespace {

// Which operands of the epilogue are fetched ahead of their use, by index of the graph's input. What is fetched ahead
// holds registers, of which a chain on a full warpgroup's accumulators has few: one access of 16-bit elements for each
// of two passes, now and next, fits; twice that spilled. Vectors stay in L1, and the lines of a column-major matrix
// would come one by one. Before a gate there are two matrices' worth of each: too many.
std::vector<bool> FetchedAhead(const Graph& graph) {
  constexpr std::int64_t kCellElements = 8, kBudgetBytes = 16;
  std::vector<bool> ahead(graph.inputs.size(), false);
  std::int64_t bytes = 0;
  const auto gated = SplitAtGate(graph.epilogue);
  for (const Node& node : gated ? gated->after : graph.epilogue) {
    for (const Reference& reference : node.References()) {
      if (reference.input < 0 || ahead[reference.input]) continue;
      const GraphInput& input = graph.inputs[reference.input];
      if (reference.broadcast != Broadcast::kFull || input.layout != Layout::kRowMajor) continue;
      const std::int64_t cell_bytes = kCellElements * SizeBytes(input.dtype);
      if (bytes + cell_bytes > kBudgetBytes) continue;
      bytes += cell_bytes;
      ahead[reference.input] = true;
    }
  }
  return ahead;
}
}  // namespace

std::string_view DeviceType(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "float";
    case DType::kF16:
      return "Half";
    case DType::kBf16:
      return "BFloat16";
    case DType::kI32:
      return "int";
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
      break;  // the validator lets none of them through
  }
  return "void";
}

std::string FloatLiteral(float value) {
  if (std::isinf(value)) return fmt::format("{}Infinity()", value < 0 ? "-" : "");
  return fmt::format("{:a}f", value);
}

std::string InputName(int index) { return fmt::format("in{}", index); }
std::string InputLdName(int index) { return fmt::format("ld_in{}", index); }
std::string OutputName(int index) { return fmt::format("out{}", index); }
std::string OutputLdName(int index) { return fmt::format("ld_out{}", index); }

std::vector<OperandLoad> OperandLoads(const Graph& graph, const AccessWidths& widths) {
  std::vector<OperandLoad> loads;
  const std::vector<bool> ahead = FetchedAhead(graph);
  for (std::size_t i = 0; i < ahead.size(); ++i) {
    if (!ahead[i]) continue;
    const int operand = static_cast<int>(i);
    loads.push_back({fmt::format("Raw<{}, V> {};", DeviceType(graph.inputs[i].dtype), InputName(operand)),
                     MatrixLoadText(graph, widths, operand)});
  }
  return loads;
}

std::vector<std::string> FragmentLines(const Graph& graph, const AccessWidths& widths) {
  std::vector<std::string> lines = FlushLines(graph, widths);
  lines.insert(lines.end(), {"", "template <typename Lines, typename Cells, typename Exchanger>",
                             "__device__ __forceinline__ void Exchange(const Lines& lines, Cells& cells, const "
                             "Exchanger& exchange) const {"});
  const std::vector<bool> ahead = FetchedAhead(graph);
  for (std::size_t i = 0; i < ahead.size(); ++i) {
    if (!ahead[i]) continue;
    const std::string name = InputName(static_cast<int>(i));
    lines.push_back(fmt::format("  exchange(lines, cells, &Operands<8>::{}, &Operands<2>::{});", name, name));
  }
  lines.push_back("}");
  return lines;
}

std::vector<std::string> FlushLines(const Graph& graph, const AccessWidths& widths) {
  std::vector<std::string> lines = {
      "static constexpr int kOutputSlices = Config::kOutputSlices;", "", "template <typename Writer, typename Slice>",
      "__device__ __forceinline__ void Flush(const Writer& out, const Slice& slice) const {"};
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    if (graph.outputs[i].axes.size() < 2) continue;
    const int output = static_cast<int>(i);
    const int slice = FirstSlice(graph, output);
    const auto flush = [&](int index, std::string_view place) {
      lines.push_back(fmt::format("  out.template Flush<{}, {}>(p.{}, p.{}, {});", index, widths.outputs[i],
                                  OutputName(output), OutputLdName(output), place));
    };
    flush(slice, "slice");
    if (graph.HasBothHalves(graph.outputs[i])) flush(slice + 1, "slice.OtherHalf()");
  }
  lines.push_back("}");
  return lines;
}

std::vector<std::string> EpilogueStatements(const Graph& graph, const AccessWidths& widths) {
  const auto gated = SplitAtGate(graph.epilogue);
  if (!gated) return ChainWriter(graph, graph.epilogue, widths, FetchedAhead(graph)).Write();
  std::vector<std::string> statements = ChainWriter(graph, gated->after, widths, FetchedAhead(graph)).Write();
  statements.insert(statements.begin(),
                    fmt::format("const auto v0 = Zip<{}>(BeforeGate<0>(cell, x, out), BeforeGate<1>(other, y, out));",
                                FunctorText(gated->gate, gated->after, 0, std::nullopt)));
  return statements;
}

std::vector<std::string> BeforeGateStatements(const Graph& graph, const AccessWidths& widths) {
  const auto gated = SplitAtGate(graph.epilogue);
  if (!gated) return {};
  std::vector<std::string> statements =
      ChainWriter(graph, gated->before, widths, std::vector<bool>(graph.inputs.size(), false)).Write(gated->result);
  statements.push_back(fmt::format("return v{};", gated->result));
  return statements;
}

std::vector<std::string> PrologueStatements(const Graph& graph, const std::vector<Node>& chain,
                                            const AccessWidths& widths) {
  std::vector<std::string> statements =
      ChainWriter(graph, chain, widths, std::vector<bool>(graph.inputs.size(), false)).Write();
  statements.push_back(fmt::format("return v{};", chain.size()));
  return statements;
}

}  // namespace gemmd
