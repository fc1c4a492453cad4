#include "codegen/row_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "codegen/chain_writer.h"

namespace gemmd {
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

bool EndsInItsOnlyReduction(const Graph& graph) {
  const auto is_reduction = [](const Node& node) { return IsRowWise(node.kind); };
  if (std::ranges::count_if(graph.epilogue, is_reduction) != 1) return false;
  const auto reduction = std::ranges::find_if(graph.epilogue, is_reduction);
  return RowPlan(graph.epilogue, false).IsLast(static_cast<std::size_t>(reduction - graph.epilogue.begin()));
}

}  // namespace gemmd
