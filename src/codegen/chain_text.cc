#include "codegen/chain_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gemmd {
namespace {

// Which operands of the epilogue are fetched ahead of their use, by index of the graph's input. What is fetched ahead
// holds registers, of which a chain on a full warpgroup's accumulators has few: one access of 16-bit elements for each
// of two passes, now and next, fits; twice that spilled. Vectors stay in L1, and the lines of a column-major matrix
// would come one by one.
std::vector<bool> FetchedAhead(const Graph& graph) {
  constexpr std::int64_t kCellElements = 8, kBudgetBytes = 16;
  std::vector<bool> ahead(graph.inputs.size(), false);
  std::int64_t bytes = 0;
  for (const Node& node : graph.epilogue) {
    if (node.operand < 0 || ahead[node.operand]) continue;
    const GraphInput& input = graph.inputs[node.operand];
    if (node.broadcast != Broadcast::kFull || input.layout != Layout::kRowMajor) continue;
    const std::int64_t cell_bytes = kCellElements * SizeBytes(input.dtype);
    if (bytes + cell_bytes > kBudgetBytes) continue;
    bytes += cell_bytes;
    ahead[node.operand] = true;
  }
  return ahead;
}

std::string UnaryText(const Node& node) {
  std::string params;
  for (const float param : node.params) params += ", " + FloatLiteral(param);
  return fmt::format("Map<{}>(v{}{})", Traits(node.kind).functor, node.input, params);
}

// How a matrix is fetched for a cell.
std::string MatrixLoadText(const Graph& graph, const AccessWidths& widths, int operand) {
  const std::string name = InputName(operand), ld = InputLdName(operand);
  if (graph.inputs[operand].layout == Layout::kColumnMajor) {
    return fmt::format("LoadColumnMajor(p.{}, p.{}, cell)", name, ld);
  }
  return fmt::format("LoadRowMajor<{}>(p.{}, p.{}, cell)", widths.inputs[operand], name, ld);
}

// The statements of one chain.
class ChainWriter {
 public:
  // `ahead`: by input, whether a member of `o` already holds it.
  ChainWriter(const Graph& graph, const std::vector<Node>& chain, const AccessWidths& widths, std::vector<bool> ahead)
      : graph_(graph), chain_(chain), widths_(widths), ahead_(std::move(ahead)) {}

  std::vector<std::string> Write() {
    for (std::size_t i = 0; i < chain_.size(); ++i) Write(chain_[i], i + 1);
    return std::move(statements_);
  }

 private:
  void Write(const Node& node, std::size_t result) {
    switch (Traits(node.kind).op_class) {
      case OpClass::kUnary:
        return Define(result, UnaryText(node));
      case OpClass::kBinary:
        return Define(result, BinaryText(node));
      case OpClass::kCast:
        return Define(result, fmt::format("Round<{}>(v{})", DeviceType(node.dtype), node.input));
      case OpClass::kStore:
        statements_.push_back(fmt::format("Store<{}>(p.{}, p.{}, cell, v{});", widths_.outputs[node.output],
                                          OutputName(node.output), OutputLdName(node.output), node.input));
        // A store passes its value through under a name of its own only where something takes it.
        if (IsUsed(result)) statements_.push_back(fmt::format("const auto& v{} = v{};", result, node.input));
        return;
    }
  }

  void Define(std::size_t result, const std::string& expression) {
    statements_.push_back(fmt::format("const auto v{} = {};", result, expression));
  }

  bool IsUsed(std::size_t value) const {
    return std::ranges::any_of(chain_, [&](const Node& node) { return node.input == static_cast<int>(value); });
  }

  std::string BinaryText(const Node& node) const {
    const std::string_view functor = Traits(node.kind).functor;
    if (node.literal.has_value()) {
      return fmt::format("Map<{}>(v{}, {})", functor, node.input, FloatLiteral(*node.literal));
    }
    const bool scaled = node.scale != 1.0f;
    if (node.broadcast == Broadcast::kScalar) {
      std::string operand = "p." + InputName(node.operand);
      if (scaled) operand = fmt::format("{} * {}", operand, FloatLiteral(node.scale));
      return fmt::format("Map<{}>(v{}, {})", functor, node.input, operand);
    }
    std::string operand = fmt::format("Widen({})", OperandText(node));
    if (scaled) operand = fmt::format("Map<Mul>({}, {})", operand, FloatLiteral(node.scale));
    return fmt::format("Zip<{}>(v{}, {})", functor, node.input, operand);
  }

  // An operand for the cell, as it lies in memory.
  std::string OperandText(const Node& node) const {
    const std::string name = InputName(node.operand);
    switch (node.broadcast) {
      case Broadcast::kScalar:
        break;
      case Broadcast::kRow:
        return fmt::format("LoadRow<{}>(p.{}, cell)", widths_.inputs[node.operand], name);
      case Broadcast::kColumn:
        return fmt::format("LoadColumn(p.{}, cell)", name);
      case Broadcast::kFull:
        return ahead_[node.operand] ? "o." + name : MatrixLoadText(graph_, widths_, node.operand);
    }
    return "";
  }

  const Graph& graph_;
  const std::vector<Node>& chain_;
  const AccessWidths& widths_;
  const std::vector<bool> ahead_;
  std::vector<std::string> statements_;
};

}  // namespace

std::string_view DeviceType(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "float";
    case DType::kF16:
      return "Half";
    case DType::kBf16:
      return "BFloat16";
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
    case DType::kI32:
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

std::vector<std::string> EpilogueStatements(const Graph& graph, const AccessWidths& widths) {
  return ChainWriter(graph, graph.epilogue, widths, FetchedAhead(graph)).Write();
}

std::vector<std::string> PrologueStatements(const Graph& graph, const std::vector<Node>& chain,
                                            const AccessWidths& widths) {
  std::vector<std::string> statements =
      ChainWriter(graph, chain, widths, std::vector<bool>(graph.inputs.size(), false)).Write();
  statements.push_back(fmt::format("return v{};", chain.size()));
  return statements;
}

}  // namespace gemmd
