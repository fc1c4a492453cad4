#include "codegen/chain_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "plan/row_kernels.h"

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

// The first of an output's slices, of which the second half of N is the next (epilogue/fragment_staging.cuh).
int FirstSlice(const Graph& graph, int output) {
  int slice = 0;
  for (int i = 0; i < output; ++i) {
    if (graph.outputs[i].axes.size() == 2) slice += graph.HasBothHalves(graph.outputs[i]) ? 2 : 1;
  }
  return slice;
}

// The type that `value` of a chain is rounded to, if stores of that one type of 16 bits are all that takes it.
// `returned`: the value that the chain hands on, if it does.
std::optional<DType> RoundedAtOnceTo(const std::vector<Node>& chain, int value, std::optional<int> returned) {
  std::optional<DType> dtype;
  if (returned == value) return std::nullopt;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Node& node = chain[i];
    if (!node.Takes(value)) continue;
    if (node.kind != OpKind::kStore || SizeBytes(node.dtype) != 2 || node.dtype != dtype.value_or(node.dtype)) {
      return std::nullopt;
    }
    dtype = node.dtype;
    // What the store passes on is the value itself.
    const int passed = static_cast<int>(i) + 1;
    if (returned == passed) return std::nullopt;
    if (std::ranges::any_of(chain, [&](const Node& other) { return other.Takes(passed); })) return std::nullopt;
  }
  return dtype;
}

// The functor of an operation whose result is `value` of `chain`.
std::string FunctorText(OpKind kind, const std::vector<Node>& chain, int value, std::optional<int> returned) {
  const std::string functor(Traits(kind).functor);
  const std::optional<DType> dtype = HasRoundedForm(kind) ? RoundedAtOnceTo(chain, value, returned) : std::nullopt;
  return dtype ? fmt::format("RoundedTo<{}, {}>", functor, DeviceType(*dtype)) : functor;
}

// How a matrix is fetched for a cell.
std::string MatrixLoadText(const Graph& graph, const AccessWidths& widths, int operand) {
  const std::string name = InputName(operand), ld = InputLdName(operand);
  if (graph.inputs[operand].layout == Layout::kColumnMajor) {
    return fmt::format("LoadColumnMajor(p.{}, p.{}, cell)", name, ld);
  }
  return fmt::format("LoadRowMajor<{}>(p.{}, p.{}, cell)", widths.inputs[operand], name, ld);
}

// What is known of a row after the reduction that gives `value`.
std::string RowName(int value) { return fmt::format("r{}", value); }

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

namespace {

// What each walk over the rows of a chain has to make.
class RowPlan {
 public:
  // `keeps`: walks after the first reduction may be given a value that was made before it.
  RowPlan(const std::vector<Node>& chain, bool keeps) : chain_(chain), per_row_(ColumnValues(chain)) {
    if (keeps) kept_ = ValueToKeep();
  }

  // The value that walks are given once it was made, in place of value 0; 0 where none is kept.
  int kept() const { return kept_; }
  bool PerRow(int value) const { return per_row_[value]; }
  bool IsMatrixStore(std::size_t i) const { return chain_[i].kind == OpKind::kStore && !per_row_[i + 1]; }

  // By node, whether it takes part in making a matrix `value` of value `given`; a store on the way does by what it
  // passes on.
  std::vector<bool> MakersOf(int value, int given) const {
    std::vector<bool> makers(chain_.size(), false);
    Add(value, given, makers);
    return makers;
  }
  // By node, whether it takes part in what is stored of matrices.
  std::vector<bool> StoringNodes() const {
    std::vector<bool> makers(chain_.size(), false);
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      if (IsMatrixStore(i)) AddStore(i, kept_, makers);
    }
    return makers;
  }

  // Whether no element of a matrix depends on what node `reduction` finds, and no reduction comes after it.
  bool IsLast(std::size_t reduction) const {
    std::vector<bool> depends(chain_.size() + 1, false);  // by value
    depends[reduction + 1] = true;
    for (std::size_t i = reduction + 1; i < chain_.size(); ++i) {
      const Node& node = chain_[i];
      if (IsRowWise(node.kind)) return false;
      depends[i + 1] = depends[node.input];
      for (const Reference& reference : node.References()) {
        if (reference.value >= 0 && depends[reference.value]) depends[i + 1] = true;
      }
      if (depends[i + 1] && !per_row_[i + 1]) return false;
    }
    return per_row_[reduction + 1];
  }

 private:
  void Add(int value, int given, std::vector<bool>& makers) const {
    if (value == given || value <= 0 || per_row_[value] || makers[value - 1]) return;
    makers[value - 1] = true;
    const Node& node = chain_[value - 1];
    Add(node.input, given, makers);
    for (const Reference& reference : node.References()) Add(reference.value, given, makers);
  }

  // Of a store itself, which may be of the value that is given, or make it.
  void AddStore(std::size_t store, int given, std::vector<bool>& makers) const {
    makers[store] = true;
    Add(chain_[store].input, given, makers);
  }

  bool AnyTakes(int value, const std::vector<bool>& makers) const {
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      if (makers[i] && chain_[i].Takes(value)) return true;
    }
    return false;
  }

  // What the first reduction takes, where all that comes after, and all that is stored, can be made of it.
  int ValueToKeep() const {
    int kept = 0;
    std::vector<bool> makers(chain_.size(), false);
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      int input = chain_[i].input;
      while (input > 0 && chain_[input - 1].kind == OpKind::kStore) input = chain_[input - 1].input;
      if (IsRowWise(chain_[i].kind) && kept == 0) {
        if (input == 0) return 0;
        kept = input;
      } else if (IsRowWise(chain_[i].kind)) {
        if (input == 0) return 0;
        Add(input, kept, makers);
      }
    }
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      if (IsMatrixStore(i)) AddStore(i, kept, makers);
    }
    return AnyTakes(0, makers) ? 0 : kept;
  }

  const std::vector<Node>& chain_;
  const std::vector<bool> per_row_;
  int kept_ = 0;
};

// The chain with stores that only pass their values on.
std::vector<Node> WithoutStores(std::vector<Node> chain) {
  for (Node& node : chain) {
    if (node.kind == OpKind::kStore) node.output = -1;
  }
  return chain;
}

// Names for the row vectors of a chain. A thread holds its columns of some, which are 32 at most: what two of 16-bit
// elements take is what registers are left for beside 128 accumulators.
void AppendVectors(std::vector<std::string>& lines, const Graph& graph, const AccessWidths& widths) {
  constexpr std::int64_t kHeldBytes = 4;  // of a column
  std::vector<bool> named(graph.inputs.size(), false);
  std::int64_t held_bytes = 0;
  for (const Node& node : graph.epilogue) {
    for (const Reference& reference : node.References()) {
      const int input = reference.input;
      if (input < 0 || reference.broadcast != Broadcast::kRow || named[input]) continue;
      named[input] = true;
      const std::int64_t bytes = SizeBytes(graph.inputs[input].dtype);
      const bool holds = held_bytes + bytes <= kHeldBytes;
      if (holds) held_bytes += bytes;
      lines.push_back(fmt::format("const auto {} = rows.template Vector<{}, {}>(p.{});", InputName(input),
                                  widths.inputs[input], holds, InputName(input)));
    }
  }
}

// `given`: the value that the walk's elements are.
void AppendWalk(std::vector<std::string>& lines, std::string_view call, int given, std::string_view writer,
                const std::vector<std::string>& statements, std::string_view end) {
  lines.push_back(
      fmt::format("{}([&](const Cell<V>& cell, const Spot& spot, const Vec<V>& v{}{}) {{", call, given, writer));
  for (const std::string& statement : statements) lines.push_back("  " + statement);
  lines.push_back(fmt::format("}}{});", end));
}

}  // namespace

std::vector<std::string> RowStatements(const Graph& graph, const AccessWidths& widths, bool keeps) {
  const std::vector<Node>& chain = graph.epilogue;
  const RowPlan plan(chain, keeps);
  const std::vector<bool> none_ahead(graph.inputs.size(), false);
  const std::vector<Node> passing = WithoutStores(chain);
  const auto making = [&](int value, int given) {
    std::vector<std::string> statements =
        ChainWriter(graph, passing, widths, none_ahead).WriteOf(plan.MakersOf(value, given), value);
    statements.push_back(fmt::format("return v{};", value));
    return statements;
  };
  std::vector<std::string> lines = {"constexpr int V = Rows::kV;"};
  AppendVectors(lines, graph, widths);
  if (plan.kept() > 0) AppendWalk(lines, "rows.Keep", 0, "", making(plan.kept(), 0), "");
  int reductions = 0;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Node& node = chain[i];
    const int value = static_cast<int>(i) + 1;
    if (IsRowWise(node.kind)) {
      std::string params;
      for (const float param : node.params) params += ", " + FloatLiteral(param);
      const std::string known = plan.PerRow(value) ? fmt::format("v{}", value) : RowName(value);
      AppendWalk(lines,
                 fmt::format("const auto {} = rows.template Reduce<{}, {}, {}>", known, Traits(node.kind).functor,
                             reductions++, plan.IsLast(i)),
                 plan.kept(), "", making(node.input, plan.kept()), params);
    } else if (plan.PerRow(value)) {
      lines.push_back(ChainWriter(graph, chain, widths, none_ahead).WritePerRow(i));
    }
  }
  const std::vector<bool> storing = plan.StoringNodes();
  if (std::ranges::find(storing, true) == storing.end()) return lines;
  std::vector<Node> last = passing;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (plan.IsMatrixStore(i)) last[i] = chain[i];
  }
  AppendWalk(lines, "rows.Each", plan.kept(), ", typename Rows::Writer& out",
             ChainWriter(graph, last, widths, none_ahead).WriteOf(storing, std::nullopt), "");
  return lines;
}

}  // namespace gemmd
