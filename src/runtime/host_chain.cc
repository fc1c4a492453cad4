#include "runtime/host_chain.h"

#include <algorithm>
#include <limits>

#include "runtime/pointwise.h"

namespace gemmd {
namespace {

// A non-scalar operand spread over the block.
void LoadOperand(const GraphInput& input, Broadcast broadcast, const HostTensor& tensor, const Block& block,
                 std::span<float> out) {
  const auto columns = static_cast<std::size_t>(block.columns);
  const auto row_of = [&](std::int64_t row) { return out.subspan(static_cast<std::size_t>(row) * columns, columns); };
  switch (broadcast) {
    case Broadcast::kScalar:
      return;
    case Broadcast::kRow:
      LoadElements(input.dtype, tensor.data + block.column * SizeBytes(input.dtype), row_of(0));
      for (std::int64_t row = 1; row < block.rows; ++row) std::ranges::copy(row_of(0), row_of(row).begin());
      return;
    case Broadcast::kColumn:
      for (std::int64_t row = 0; row < block.rows; ++row) {
        float value = 0;
        LoadElements(input.dtype, tensor.data + (block.row + row) * SizeBytes(input.dtype), {&value, 1});
        std::ranges::fill(row_of(row), value);
      }
      return;
    case Broadcast::kFull:
      return LoadRows(input.dtype, input.layout, tensor, block, out);
  }
}

void StoreBlock(DType dtype, std::span<const float> values, const Block& block, const HostTensor& output) {
  const auto columns = static_cast<std::size_t>(block.columns);
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const std::int64_t offset = (block.row + row) * output.leading_dimension + block.column;
    StoreElements(dtype, values.subspan(static_cast<std::size_t>(row) * columns, columns),
                  output.data + offset * SizeBytes(dtype));
  }
}

}  // namespace

HostChain::HostChain(const Graph& graph, const std::vector<Node>& chain) : graph_(graph), chain_(chain) {
  const std::size_t values = chain.size() + 1;
  origin_.resize(values, 0);
  slot_.resize(values, -1);
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Node& node = chain[i];
    const int value = static_cast<int>(i) + 1;
    origin_[i + 1] = node.kind == OpKind::kStore ? origin_[static_cast<std::size_t>(node.input)] : value;
  }
  const std::vector<int> last_use = Lifetimes();
  std::vector<int> free;
  std::vector<std::vector<int>> dying(chain.size() + 1);  // by node: the values it is the last to read
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (origin_[i + 1] == static_cast<int>(i) + 1) {
      if (free.empty()) free.push_back(slots_++);
      slot_[i + 1] = free.back();
      free.pop_back();
      // A value that nobody reads dies with its own node.
      const auto end = static_cast<std::size_t>(std::max(last_use[i + 1], static_cast<int>(i)));
      if (end < chain.size()) dying[end].push_back(static_cast<int>(i) + 1);
    }
    for (const int value : dying[i]) free.push_back(slot_[static_cast<std::size_t>(value)]);
  }
}

// By value: the last node that reads it; past the end for a stored one, since stores wait for the end of the chain.
std::vector<int> HostChain::Lifetimes() const {
  std::vector<int> last_use(origin_.size(), -1);
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    const Node& node = chain_[i];
    int& last = last_use[static_cast<std::size_t>(origin_[static_cast<std::size_t>(node.input)])];
    const int use = node.kind == OpKind::kStore ? std::numeric_limits<int>::max() : static_cast<int>(i);
    last = std::max(last, use);
  }
  return last_use;
}

void HostChain::Evaluate(const Node& node, const HostTensors& tensors, const Block& block, std::span<const float> in,
                         std::span<float> out, std::vector<float>* operand) const {
  switch (Traits(node.kind).op_class) {
    case OpClass::kUnary:
      return EvaluateUnary(node.kind, node.params, in, out);
    case OpClass::kCast:
      return RoundTo(node.dtype, in, out);
    case OpClass::kStore:
      return;
    case OpClass::kBinary:
      break;
  }
  if (node.operand < 0) return EvaluateBinary(node.kind, in, node.literal.value_or(0.0f), out);
  const auto index = static_cast<std::size_t>(node.operand);
  if (node.broadcast == Broadcast::kScalar) {
    return EvaluateBinary(node.kind, in, tensors.scalars[index] * node.scale, out);
  }
  operand->resize(in.size());
  LoadOperand(graph_.inputs[index], node.broadcast, tensors.inputs[index], block, *operand);
  if (node.scale != 1.0f) EvaluateBinary(OpKind::kMul, *operand, node.scale, *operand);
  EvaluateBinary(node.kind, in, *operand, out);
}

std::span<const float> HostChain::Run(const HostTensors& tensors, const Block& block, std::span<const float> given,
                                      std::vector<std::vector<float>>* scratch) const {
  scratch->resize(static_cast<std::size_t>(slots_) + 1);
  for (int slot = 0; slot < slots_; ++slot) (*scratch)[static_cast<std::size_t>(slot)].resize(given.size());
  const auto value_of = [&](int value) -> std::span<const float> {
    const auto origin = static_cast<std::size_t>(origin_[static_cast<std::size_t>(value)]);
    if (origin == 0) return given;
    return (*scratch)[static_cast<std::size_t>(slot_[origin])];
  };
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    if (slot_[i + 1] < 0) continue;  // a store
    const Node& node = chain_[i];
    Evaluate(node, tensors, block, value_of(node.input), (*scratch)[static_cast<std::size_t>(slot_[i + 1])],
             &scratch->back());
  }
  for (const Node& node : chain_) {
    if (node.kind != OpKind::kStore) continue;
    const auto output = static_cast<std::size_t>(node.output);
    StoreBlock(graph_.outputs[output].dtype, value_of(node.input), block, tensors.outputs[output]);
  }
  return value_of(static_cast<int>(chain_.size()));
}

}  // namespace gemmd
