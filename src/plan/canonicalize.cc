#include <map>

#include "plan/graph.h"

namespace gemmd {
namespace {

class Canonicalizer {
 public:
  explicit Canonicalizer(const KernelSpec& spec) : spec_(spec) {}

  CanonicalSpec Run() {
    Graph& graph = result_.graph;
    const TensorSpec &a = spec_.inputs.at(spec_.matmul_a), &b = spec_.inputs.at(spec_.matmul_b);
    graph.a = IndexOf(spec_.matmul_a, Broadcast::kFull);
    graph.b = IndexOf(spec_.matmul_b, Broadcast::kFull);
    graph.precision = spec_.precision;
    if (a.dtype == DType::kF32 && graph.precision == Precision::kDefault) graph.precision = Precision::kIeee;
    graph.deterministic = spec_.deterministic;
    const Extent m = *ExtentOf(spec_, a.shape[0]), k = *ExtentOf(spec_, a.shape[1]), n = *ExtentOf(spec_, b.shape[1]);
    graph.m = m.literal;
    graph.n = n.literal;
    graph.k = k.literal;
    graph.prologue_a = Chain(spec_.prologue_a, m, k);
    graph.prologue_b = Chain(spec_.prologue_b, k, n);
    graph.epilogue = Chain(spec_.epilogue, m, n);
    return std::move(result_);
  }

 private:
  int IndexOf(const std::string& name, Broadcast broadcast) {
    const auto [entry, added] = indices_.emplace(name, static_cast<int>(result_.graph.inputs.size()));
    if (added) {
      const TensorSpec& tensor = spec_.inputs.at(name);
      result_.graph.inputs.push_back({tensor.dtype, tensor.layout, broadcast});
      result_.bindings.inputs.push_back(name);
    }
    return entry->second;
  }

  std::vector<Node> Chain(const std::vector<Operation>& operations, const Extent& rows, const Extent& columns) {
    std::vector<Node> nodes;
    std::map<std::string, int> values;
    for (const Operation& operation : operations) {
      Node node;
      node.kind = operation.kind;
      node.input = operation.input.empty() ? static_cast<int>(nodes.size()) : values.at(operation.input);
      node.params = ParamsOf(operation);
      const bool binary = Traits(operation.kind).op_class == OpClass::kBinary;
      if (binary && operation.value) node.literal = static_cast<float>(*operation.value);
      if (!operation.operand.empty()) {
        const TensorSpec& tensor = spec_.inputs.at(operation.operand);
        node.operand = IndexOf(operation.operand, *BroadcastOf(spec_, tensor, rows, columns));
        node.scale = static_cast<float>(operation.scale.value_or(1.0));
      }
      if (operation.dtype) node.dtype = *operation.dtype;
      if (operation.kind == OpKind::kStore) {
        node.output = static_cast<int>(result_.graph.outputs.size());
        result_.graph.outputs.push_back({node.dtype});
        result_.bindings.outputs.push_back(operation.output);
      }
      nodes.push_back(node);
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
