#include "codegen/chain_writer.h"

namespace gemmd {
namespace {

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

}  // namespace

int FirstSlice(const Graph& graph, int output) {
  int slice = 0;
  for (int i = 0; i < output; ++i) {
    if (graph.outputs[i].axes.size() == 2) slice += graph.HasBothHalves(graph.outputs[i]) ? 2 : 1;
  }
  return slice;
}

std::string FunctorText(OpKind kind, const std::vector<Node>& chain, int value, std::optional<int> returned) {
  const std::string functor(Traits(kind).functor);
  const std::optional<DType> dtype = HasRoundedForm(kind) ? RoundedAtOnceTo(chain, value, returned) : std::nullopt;
  return dtype ? fmt::format("RoundedTo<{}, {}>", functor, DeviceType(*dtype)) : functor;
}

std::string MatrixLoadText(const Graph& graph, const AccessWidths& widths, int operand) {
  const std::string name = InputName(operand), ld = InputLdName(operand);
  if (graph.inputs[operand].layout == Layout::kColumnMajor) {
    return fmt::format("LoadColumnMajor(p.{}, p.{}, cell)", name, ld);
  }
  return fmt::format("LoadRowMajor<{}>(p.{}, p.{}, cell)", widths.inputs[operand], name, ld);
}

std::string RowName(int value) { return fmt::format("r{}", value); }

}  // namespace gemmd
