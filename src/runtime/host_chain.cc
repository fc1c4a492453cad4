#include "runtime/host_chain.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "runtime/pointwise.h"
#include "runtime/row_wise.h"

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

bool GoesAlongRows(const std::vector<Node>& chain) {
  return std::ranges::any_of(chain, [](const Node& node) { return IsRowWise(node.kind); });
}

HostChain::HostChain(const Graph& graph, const std::vector<Node>& chain)
    : HostChain(graph, chain, static_cast<int>(chain.size())) {}

HostChain::HostChain(const Graph& graph, const std::vector<Node>& chain, int result)
    : graph_(graph), chain_(chain), result_(result), columns_(ColumnValues(chain)) {
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

// By value: the last node that reads it; past the end for the result, and for a stored one, since stores wait for the
// end of the chain.
std::vector<int> HostChain::Lifetimes() const {
  std::vector<int> last_use(origin_.size(), -1);
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    const Node& node = chain_[i];
    const int use = node.kind == OpKind::kStore ? std::numeric_limits<int>::max() : static_cast<int>(i);
    for (const int value : {node.input, node.operand_value, node.condition.value}) {
      if (value < 0) continue;
      int& last = last_use[static_cast<std::size_t>(origin_[static_cast<std::size_t>(value)])];
      last = std::max(last, use);
    }
  }
  last_use[static_cast<std::size_t>(origin_[static_cast<std::size_t>(result_)])] = std::numeric_limits<int>::max();
  return last_use;
}

// One block's values on their way through the chain.
class HostChain::Evaluation {
 public:
  Evaluation(const HostChain& chain, const HostTensors& tensors, const Block& block, std::span<const float> given,
             std::vector<std::vector<float>>* scratch)
      : chain_(chain), tensors_(tensors), block_(block), given_(given), scratch_(*scratch) {
    scratch_.resize(static_cast<std::size_t>(chain.slots_) + 2);
    // Rows without columns have statistics too.
    const std::size_t elements = std::max(given.size(), static_cast<std::size_t>(block.rows));
    for (std::vector<float>& array : scratch_) array.resize(elements);
  }

  // What a value has of the block: one column, or all.
  Block BlockOf(int value) const {
    const bool column = chain_.columns_[static_cast<std::size_t>(value)];
    return column ? Block{block_.row, 0, block_.rows, 1} : block_;
  }

  std::span<const float> ValueOf(int value) const {
    const auto origin = static_cast<std::size_t>(chain_.origin_[static_cast<std::size_t>(value)]);
    if (origin == 0) return given_;
    return std::span(scratch_[static_cast<std::size_t>(chain_.slot_[origin])]).first(SizeOf(BlockOf(value)));
  }

  // Requires a node of `value` that is no store.
  void Evaluate(const Node& node, int value) {
    const std::span<const float> in = ValueOf(node.input);
    std::vector<float>& array = scratch_[static_cast<std::size_t>(chain_.slot_[static_cast<std::size_t>(value)])];
    const std::span<float> out = std::span(array).first(SizeOf(BlockOf(value)));
    switch (Traits(node.kind).op_class) {
      case OpClass::kUnary:
        return EvaluateUnary(node.kind, node.params, in, out);
      case OpClass::kBinary:
        if (const auto uniform = UniformArgument(node)) return EvaluateBinary(node.kind, in, *uniform, out);
        return EvaluateBinary(node.kind, in, Argument(node), out);
      case OpClass::kSelect:
        return EvaluateWhere(Resolve(node.condition, BlockOf(node.input), scratch_.back()), in, Argument(node), out);
      case OpClass::kCast:
        return RoundTo(node.dtype, in, out);
      case OpClass::kNormalize:
        for (std::int64_t row = 0; row < block_.rows; ++row) {
          NormalizeRow(node.kind, node.params, RowOf(in, row), RowOf(out, row));
        }
        return;
      case OpClass::kReduce:
        for (std::int64_t row = 0; row < block_.rows; ++row) {
          out[static_cast<std::size_t>(row)] = ReduceRow(node.kind, node.params, RowOf(in, row));
        }
        return;
      case OpClass::kGate:  // between chains
      case OpClass::kStore:
        return;
    }
  }

 private:
  static std::size_t SizeOf(const Block& block) { return static_cast<std::size_t>(block.rows * block.columns); }

  template <typename T>
  std::span<T> RowOf(std::span<T> values, std::int64_t row) const {
    const auto columns = static_cast<std::size_t>(block_.columns);
    return values.subspan(static_cast<std::size_t>(row) * columns, columns);
  }

  // The second argument where it is one number.
  std::optional<float> UniformArgument(const Node& node) const {
    if (node.literal) return node.literal;
    if (node.operand < 0 || node.broadcast != Broadcast::kScalar) return std::nullopt;
    return tensors_.scalars[static_cast<std::size_t>(node.operand)] * node.scale;
  }

  // The second argument, as large as what it goes with.
  std::span<const float> Argument(const Node& node) {
    const Block block = BlockOf(node.input);
    const std::span<float> scratch = std::span(scratch_[scratch_.size() - 2]).first(SizeOf(block));
    if (const auto uniform = UniformArgument(node)) {
      std::ranges::fill(scratch, *uniform);
      return scratch;
    }
    const std::span<const float> argument = Resolve(node.Operand(), block, scratch);
    if (node.scale == 1.0f) return argument;
    EvaluateBinary(OpKind::kMul, argument, node.scale, scratch);
    return scratch;
  }

  // An earlier value of the block, or one of its rows or an input, spread over it in `scratch`.
  std::span<const float> Resolve(const Reference& reference, const Block& block, std::span<float> scratch) const {
    scratch = scratch.first(SizeOf(block));
    if (scratch.empty()) return scratch;
    if (reference.value >= 0) {
      const std::span<const float> value = ValueOf(reference.value);
      if (BlockOf(reference.value).columns == block.columns) return value;
      for (std::int64_t row = 0; row < block.rows; ++row) {
        std::ranges::fill(RowOf(scratch, row), value[static_cast<std::size_t>(row)]);
      }
      return scratch;
    }
    const auto input = static_cast<std::size_t>(reference.input);
    if (reference.broadcast == Broadcast::kScalar) {
      std::ranges::fill(scratch, tensors_.scalars[input]);
    } else {
      LoadOperand(chain_.graph_.inputs[input], reference.broadcast, tensors_.inputs[input], block, scratch);
    }
    return scratch;
  }

  const HostChain& chain_;
  const HostTensors& tensors_;
  const Block& block_;
  const std::span<const float> given_;
  std::vector<std::vector<float>>& scratch_;
};

std::span<const float> HostChain::Run(const HostTensors& tensors, const Block& block, std::span<const float> given,
                                      std::vector<std::vector<float>>* scratch) const {
  Evaluation evaluation(*this, tensors, block, given, scratch);
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    if (slot_[i + 1] >= 0) evaluation.Evaluate(chain_[i], static_cast<int>(i) + 1);  // else a store
  }
  for (const Node& node : chain_) {
    if (node.kind != OpKind::kStore) continue;
    const auto output = static_cast<std::size_t>(node.output);
    const bool column = columns_[static_cast<std::size_t>(node.input)];  // stored as one line
    StoreBlock(graph_.outputs[output].dtype, evaluation.ValueOf(node.input),
               column ? Block{0, block.row, 1, block.rows} : block, tensors.outputs[output]);
  }
  return evaluation.ValueOf(result_);
}

}  // namespace gemmd
