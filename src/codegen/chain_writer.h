// The statements of one chain: what chain_text.cc and row_text.cc write with.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/chain_text.h"
#include "plan/row_kernels.h"

namespace gemmd {

// The first of an output's slices, of which the second half of N is the next (epilogue/fragment_staging.cuh).
int FirstSlice(const Graph& graph, int output);

// The functor of an operation whose result is `value` of `chain`. `returned`: the value that the chain hands on, if it
// does.
std::string FunctorText(OpKind kind, const std::vector<Node>& chain, int value, std::optional<int> returned);

// How a matrix is fetched for a cell.
std::string MatrixLoadText(const Graph& graph, const AccessWidths& widths, int operand);

// What is known of a row after the reduction that gives `value`.
std::string RowName(int value);

// The statements of one chain.
class ChainWriter {
 public:
  // `ahead`: by input, whether a member of `o` already holds it.
  ChainWriter(const Graph& graph, const std::vector<Node>& chain, const AccessWidths& widths, std::vector<bool> ahead)
      : graph_(graph),
        chain_(chain),
        widths_(widths),
        ahead_(std::move(ahead)),
        held_(graph.inputs.size(), false),
        per_row_(ColumnValues(chain)),
        by_rows_(ReducesRows(graph)) {}

  // `returned`: the value that follows the statements, if one does.
  std::vector<std::string> Write(std::optional<int> returned = std::nullopt) {
    return WriteOf(std::vector<bool>(chain_.size(), true), returned);
  }

  // Of the nodes for which `wanted` is true, by index.
  std::vector<std::string> WriteOf(std::vector<bool> wanted, std::optional<int> returned) {
    wanted_ = std::move(wanted);
    returned_ = returned;
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      if (wanted_[i]) Write(chain_[i], i + 1);
    }
    return std::move(statements_);
  }

  // The statement of a node that works on values of one element a row, outside of any cell.
  std::string WritePerRow(std::size_t index) const {
    const Node& node = chain_[index];
    const std::size_t result = index + 1;
    const auto define = [&](std::string_view functor, const std::string& arguments) {
      return fmt::format("const auto v{} = MapRows<{}>(v{}{});", result, functor, node.input, arguments);
    };
    switch (Traits(node.kind).op_class) {
      case OpClass::kBinary:
        return define(Traits(node.kind).functor, ", " + PerRowArgument(node));
      case OpClass::kSelect:
        return define(Traits(node.kind).functor, ", " + PerRowArgument(node) + ", " + PerRow(node.condition));
      case OpClass::kCast:
        return define(fmt::format("Rounded<{}>", DeviceType(node.dtype)), "");
      case OpClass::kStore:
        return fmt::format("rows.Store(p.{}, v{});", OutputName(node.output), node.input) +
               (IsUsed(result) ? fmt::format(" const auto v{} = v{};", result, node.input) : "");
      case OpClass::kUnary:
      case OpClass::kGate:
      case OpClass::kNormalize:
      case OpClass::kReduce:
        break;
    }
    std::string params;
    for (const float param : node.params) params += ", " + FloatLiteral(param);
    return define(Traits(node.kind).functor, params);
  }

 private:
  std::string PerRow(const Reference& reference) const {
    if (reference.value >= 0) return fmt::format("v{}", reference.value);
    const std::string name = "p." + InputName(reference.input);
    return reference.broadcast == Broadcast::kScalar ? name : fmt::format("rows.Column({})", name);
  }

  std::string PerRowArgument(const Node& node) const {
    if (node.literal.has_value()) return FloatLiteral(*node.literal);
    const std::string argument = PerRow(node.Operand());
    return node.scale == 1.0f ? argument : fmt::format("MapRows<Mul>({}, {})", argument, FloatLiteral(node.scale));
  }

  void Write(const Node& node, std::size_t result) {
    switch (Traits(node.kind).op_class) {
      case OpClass::kUnary:
        return Define(result, UnaryText(node, result));
      case OpClass::kBinary:
        return Define(result, BinaryText(node));
      case OpClass::kSelect:
        return Define(result, SelectText(node));
      case OpClass::kGate:
        return;  // between chains
      case OpClass::kNormalize:
        return Define(result, fmt::format("Map<{}>(v{}, Pick({}, spot.slot))", Traits(node.kind).functor, node.input,
                                          RowName(static_cast<int>(result))));
      case OpClass::kReduce:
        return;  // between walks over the row
      case OpClass::kCast:
        return Define(result, fmt::format("Round<{}>(v{})", DeviceType(node.dtype), node.input));
      case OpClass::kStore:
        if (node.output >= 0) WriteStore(node, result);
        // A store passes its value through under a name of its own only where something takes it.
        if (IsUsed(result)) statements_.push_back(fmt::format("const auto& v{} = v{};", result, node.input));
        return;
    }
  }

  void WriteStore(const Node& node, std::size_t result) {
    HoldWhatAStoreMayOverwrite(node, result);
    statements_.push_back(
        fmt::format("out.template Store<{}{}, {}>(p.{}, p.{}, cell, v{});", FirstSlice(graph_, node.output),
                    graph_.HasBothHalves(graph_.outputs[node.output]) ? " + kHalf" : "", widths_.outputs[node.output],
                    OutputName(node.output), OutputLdName(node.output), node.input));
  }

  std::string UnaryText(const Node& node, std::size_t result) const {
    std::string params;
    for (const float param : node.params) params += ", " + FloatLiteral(param);
    // What is packed is rounded as exactly as in the product's own kernel.
    const bool packs = graph_.b < 0;
    const std::string functor = packs ? std::string(Traits(node.kind).functor)
                                      : FunctorText(node.kind, chain_, static_cast<int>(result), returned_);
    return fmt::format("Map<{}>(v{}{})", functor, node.input, params);
  }

  void Define(std::size_t result, const std::string& expression) {
    statements_.push_back(fmt::format("const auto v{} = {};", result, expression));
  }

  // An output may lie on a full operand of its dtype (in place): what the chain reads of such an operand after the
  // store, whose value is `result`, is loaded before it.
  void HoldWhatAStoreMayOverwrite(const Node& store, std::size_t result) {
    for (std::size_t later = result; later < chain_.size(); ++later) {
      if (!IsWanted(later) || per_row_[later + 1]) continue;
      for (const Reference& reference : chain_[later].References()) {
        const int index = reference.input;
        if (index < 0 || ahead_[index] || held_[index]) continue;
        const GraphInput& input = graph_.inputs[index];
        const bool in_place = reference.broadcast == Broadcast::kFull && input.layout == Layout::kRowMajor &&
                              input.dtype == graph_.outputs[store.output].dtype;
        if (!in_place) continue;
        held_[index] = true;
        statements_.push_back(
            fmt::format("const auto {} = {};", InputName(index), MatrixLoadText(graph_, widths_, index)));
      }
    }
  }

  bool IsUsed(std::size_t value) const {
    if (returned_ == static_cast<int>(value)) return true;
    for (std::size_t i = value; i < chain_.size(); ++i) {
      if (IsWanted(i) && chain_[i].Takes(static_cast<int>(value))) return true;
    }
    return false;
  }

  bool IsWanted(std::size_t index) const { return wanted_.empty() || wanted_[index]; }

  // One more argument of an operation: the same float for every column, or a Vec.
  struct Argument {
    std::string text;
    bool uniform = false;
  };

  std::string BinaryText(const Node& node) const {
    const Argument argument = SecondArgument(node);
    return fmt::format("{}<{}>(v{}, {})", argument.uniform ? "Map" : "Zip", Traits(node.kind).functor, node.input,
                       argument.text);
  }

  std::string SelectText(const Node& node) const {
    const auto vec = [](const Argument& argument) {
      return argument.uniform ? fmt::format("Splat<V>({})", argument.text) : argument.text;
    };
    return fmt::format("Zip<{}>(v{}, {}, {})", Traits(node.kind).functor, node.input, vec(SecondArgument(node)),
                       vec(Resolve(node.condition)));
  }

  Argument SecondArgument(const Node& node) const {
    if (node.literal.has_value()) return {FloatLiteral(*node.literal), true};
    Argument argument = Resolve(node.Operand());
    if (node.scale == 1.0f) return argument;
    const std::string scale = FloatLiteral(node.scale);
    argument.text = argument.uniform ? fmt::format("{} * {}", argument.text, scale)
                                     : fmt::format("Map<Mul>({}, {})", argument.text, scale);
    return argument;
  }

  Argument Resolve(const Reference& reference) const {
    if (reference.value >= 0) {
      const std::string value = fmt::format("v{}", reference.value);
      return per_row_[reference.value] ? Argument{fmt::format("Pick({}, spot.slot)", value), true} : Argument{value};
    }
    if (reference.broadcast == Broadcast::kScalar) return {"p." + InputName(reference.input), true};
    return {fmt::format("Widen({})", OperandText(reference))};
  }

  // An input for the cell, as it lies in memory.
  std::string OperandText(const Reference& reference) const {
    std::string name = InputName(reference.input);
    switch (reference.broadcast) {
      case Broadcast::kScalar:
        break;
      case Broadcast::kRow:
        if (by_rows_) return fmt::format("{}.At(cell, spot)", name);
        return fmt::format("LoadRow<{}>(p.{}, cell)", widths_.inputs[reference.input], name);
      case Broadcast::kColumn:
        return fmt::format("LoadColumn(p.{}, cell)", name);
      case Broadcast::kFull:
        if (held_[reference.input]) return name;
        return ahead_[reference.input] ? "o." + name : MatrixLoadText(graph_, widths_, reference.input);
    }
    return "";
  }

  const Graph& graph_;
  const std::vector<Node>& chain_;
  const AccessWidths& widths_;
  const std::vector<bool> ahead_;
  std::optional<int> returned_;
  std::vector<bool> held_;     // by input, whether a variable of its name already holds it
  std::vector<bool> per_row_;  // ColumnValues
  std::vector<bool> wanted_;   // by node; empty: all
  bool by_rows_ = false;       // row vectors have names of their own
  std::vector<std::string> statements_;
};

}  // namespace gemmd
