#include <map>
#include <utility>

#include "plan/graph.h"

namespace gemmd {
namespace {

class Canonicalizer {
 public:
  explicit Canonicalizer(const KernelSpec& spec) : spec_(spec) {}

  CanonicalSpec Run() {
    Graph& graph = result_.graph;
    const TensorSpec &a = spec_.inputs.at(spec_.matmul_a), &b = spec_.inputs.at(spec_.matmul_b);
    graph.a = IndexOf(spec_.matmul_a, {Axis::kM, Axis::kK});
    graph.b = IndexOf(spec_.matmul_b, {Axis::kK, Axis::kN});
    graph.precision = spec_.precision;
    if (a.dtype == DType::kF32 && graph.precision == Precision::kDefault) graph.precision = Precision::kIeee;
    graph.deterministic = spec_.deterministic;
    const Extent m = *ExtentOf(spec_, a.shape[0]), k = *ExtentOf(spec_, a.shape[1]);
    const Extent k_of_b = *ExtentOf(spec_, b.shape[0]), n = *ExtentOf(spec_, b.shape[1]);
    graph.m = m.literal;
    graph.n = n.literal;
    graph.k = k.literal;
    graph.prologue_a = Chain(spec_.prologue_a, {m, k, Axis::kM, Axis::kK});
    graph.prologue_b = Chain(spec_.prologue_b, {k_of_b, n, Axis::kK, Axis::kN});
    graph.epilogue = Chain(spec_.epilogue, {m, n, Axis::kM, Axis::kN});
    return std::move(result_);
  }

 private:
  // What a chain works on: its extents as the spec names them, and as axes of the product.
  struct Matrix {
    Extent rows, columns;
    Axis row_axis, column_axis;

    Axes AxesOf(Broadcast broadcast) const {
      switch (broadcast) {
        case Broadcast::kScalar:
          return {};
        case Broadcast::kRow:
          return {column_axis};
        case Broadcast::kColumn:
          return {row_axis};
        case Broadcast::kFull:
          return {row_axis, column_axis};
      }
      return {};
    }
  };

  int IndexOf(const std::string& name, Axes axes) {
    const auto [entry, added] = indices_.emplace(name, static_cast<int>(result_.graph.inputs.size()));
    if (added) {
      const TensorSpec& tensor = spec_.inputs.at(name);
      result_.graph.inputs.push_back({tensor.dtype, tensor.layout, std::move(axes)});
      result_.bindings.inputs.push_back(name);
    }
    return entry->second;
  }

  std::vector<Node> Chain(const std::vector<Operation>& operations, Matrix matrix) {
    std::vector<Node> nodes;
    std::map<std::string, int> values;
    std::vector<bool> columns{false};  // ColumnValues of the nodes
    for (const Operation& operation : operations) {
      Node node;
      node.kind = operation.kind;
      node.input = operation.input.empty() ? static_cast<int>(nodes.size()) : values.at(operation.input);
      node.params = ParamsOf(operation);
      if (TakesArgument(operation.kind) && operation.value) node.literal = static_cast<float>(*operation.value);
      const auto spread = columns[static_cast<std::size_t>(node.input)] ? BroadcastOverRows : BroadcastOf;
      // An id is never the name of an input.
      const auto refer = [&](const std::string& name) -> Reference {
        if (name.empty()) return {};
        if (const auto value = values.find(name); value != values.end()) return {.value = value->second};
        const Broadcast broadcast = *spread(spec_, spec_.inputs.at(name), matrix.rows, matrix.columns);
        return {.input = IndexOf(name, matrix.AxesOf(broadcast)), .broadcast = broadcast};
      };
      const Reference operand = refer(operation.operand);
      node.operand = operand.input;
      node.broadcast = operand.broadcast;
      node.operand_value = operand.value;
      node.scale = static_cast<float>(operation.scale.value_or(1.0));
      node.condition = refer(operation.condition);
      if (operation.dtype) node.dtype = *operation.dtype;
      if (operation.kind == OpKind::kStore) {
        node.output = static_cast<int>(result_.graph.outputs.size());
        const bool per_row = columns[static_cast<std::size_t>(node.input)];
        result_.graph.outputs.push_back({node.dtype, matrix.AxesOf(per_row ? Broadcast::kColumn : Broadcast::kFull)});
        result_.bindings.outputs.push_back(operation.output);
      }
      if (Traits(operation.kind).op_class == OpClass::kGate) {
        matrix.columns = Extent{"", *matrix.columns.literal / 2};
        matrix.column_axis = Axis::kHalfN;
      }
      const auto append = [&](const Node& next) {
        nodes.push_back(next);
        columns.push_back(MakesColumn(next, columns));
      };
      append(node);
      for (const VectorField& field : Traits(operation.kind).vectors) {
        const std::string& name = operation.*field.member;
        if (name.empty()) continue;
        const int input = IndexOf(name, matrix.AxesOf(Broadcast::kRow));
        const int normalised = static_cast<int>(nodes.size());
        append({.kind = field.follows, .input = normalised, .operand = input, .broadcast = Broadcast::kRow});
      }
      if (!operation.id.empty()) values[operation.id] = static_cast<int>(nodes.size());
    }
    return nodes;
  }

  const KernelSpec& spec_;
  CanonicalSpec result_;
  std::map<std::string, int> indices_;
};

}  // namespace

CanonicalSpec Canonicalize(const KernelSpec& spec) { return Canonicalizer(spec).Run(); }

}  // namespace gemmd
