#include "codegen/chain_text.h"

#include <fmt/format.h>

#include <cmath>

namespace gemmd {
namespace {

// How an operand is fetched for a cell; nothing for a scalar, which is a parameter.
std::string LoadText(const Graph& graph, const AccessWidths& widths, int operand) {
  const GraphInput& input = graph.inputs[operand];
  const std::string name = InputName(operand);
  const int width = widths.inputs[operand];
  switch (input.broadcast) {
    case Broadcast::kScalar:
      return "";
    case Broadcast::kRow:
      return fmt::format("LoadRow<{}>(p.{}, cell)", width, name);
    case Broadcast::kColumn:
      return fmt::format("LoadColumn(p.{}, cell)", name);
    case Broadcast::kFull:
      if (input.layout == Layout::kColumnMajor) {
        return fmt::format("LoadColumnMajor(p.{}, p.{}, cell)", name, InputLdName(operand));
      }
      return fmt::format("LoadRowMajor<{}>(p.{}, p.{}, cell)", width, name, InputLdName(operand));
  }
  return "";
}

// Which operands are fetched ahead of their use, by index of the graph's input. What is fetched ahead holds registers,
// of which a chain on a full warpgroup's accumulators has few: one access of 16-bit elements for each of two passes,
// now and next, fits; twice that spilled. Vectors stay in L1, and the lines of a column-major matrix would come one by
// one.
std::vector<bool> FetchedAhead(const Graph& graph) {
  constexpr std::int64_t kCellElements = 8, kBudgetBytes = 16;
  std::vector<bool> ahead(graph.inputs.size(), false);
  std::int64_t bytes = 0;
  for (const Node& node : graph.epilogue) {
    if (node.operand < 0 || ahead[node.operand]) continue;
    const GraphInput& input = graph.inputs[node.operand];
    if (input.broadcast != Broadcast::kFull || input.layout != Layout::kRowMajor) continue;
    const std::int64_t cell_bytes = kCellElements * SizeBytes(input.dtype);
    if (bytes + cell_bytes > kBudgetBytes) continue;
    bytes += cell_bytes;
    ahead[node.operand] = true;
  }
  return ahead;
}

std::string BinaryText(const Graph& graph, const AccessWidths& widths, const Node& node) {
  const std::string_view functor = Traits(node.kind).functor;
  if (node.literal.has_value()) {
    return fmt::format("Map<{}>(v{}, {})", functor, node.input, FloatLiteral(*node.literal));
  }
  const bool scaled = node.scale != 1.0f;
  const std::string name = InputName(node.operand);
  if (graph.inputs[node.operand].broadcast == Broadcast::kScalar) {
    std::string operand = "p." + name;
    if (scaled) operand = fmt::format("{} * {}", operand, FloatLiteral(node.scale));
    return fmt::format("Map<{}>(v{}, {})", functor, node.input, operand);
  }
  const bool ahead = FetchedAhead(graph)[node.operand];
  std::string operand = fmt::format("Widen({})", ahead ? "o." + name : LoadText(graph, widths, node.operand));
  if (scaled) operand = fmt::format("Map<Mul>({}, {})", operand, FloatLiteral(node.scale));
  return fmt::format("Zip<{}>(v{}, {})", functor, node.input, operand);
}

std::string UnaryText(const Node& node) {
  std::string params;
  for (const float param : node.params) params += ", " + FloatLiteral(param);
  return fmt::format("Map<{}>(v{}{})", Traits(node.kind).functor, node.input, params);
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
                     LoadText(graph, widths, operand)});
  }
  return loads;
}

std::vector<std::string> ChainStatements(const Graph& graph, const AccessWidths& widths) {
  std::vector<std::string> statements;
  for (std::size_t i = 0; i < graph.epilogue.size(); ++i) {
    const Node& node = graph.epilogue[i];
    const std::size_t result = i + 1;
    switch (Traits(node.kind).op_class) {
      case OpClass::kUnary:
        statements.push_back(fmt::format("const auto v{} = {};", result, UnaryText(node)));
        break;
      case OpClass::kBinary:
        statements.push_back(fmt::format("const auto v{} = {};", result, BinaryText(graph, widths, node)));
        break;
      case OpClass::kCast:
        statements.push_back(
            fmt::format("const auto v{} = Round<{}>(v{});", result, DeviceType(node.dtype), node.input));
        break;
      case OpClass::kStore:
        statements.push_back(fmt::format("Store<{}>(p.{}, p.{}, cell, v{});", widths.outputs[node.output],
                                         OutputName(node.output), OutputLdName(node.output), node.input));
        // A store passes its value through under a name of its own only where something takes it.
        for (std::size_t later = i + 1; later < graph.epilogue.size(); ++later) {
          if (graph.epilogue[later].input == static_cast<int>(result)) {
            statements.push_back(fmt::format("const auto& v{} = v{};", result, node.input));
            break;
          }
        }
        break;
    }
  }
  return statements;
}

}  // namespace gemmd
