#include "spec/operation.h"

namespace gemmd {
namespace {

// In the order of OpKind.
constexpr OpTraits kTable[] = {
    {OpKind::kAdd, "add", "", OpClass::kBinary, "Add", "x + y"},
    {OpKind::kSub, "sub", "", OpClass::kBinary, "Sub", "x - y"},
    {OpKind::kMul, "mul", "", OpClass::kBinary, "Mul", "x * y"},
    {OpKind::kRelu, "relu", "", OpClass::kUnary, "Relu", "max(x, 0)"},
    {OpKind::kGeluErf, "gelu", "erf", OpClass::kUnary, "GeluErf", "x / 2 * (1 + erf(x / sqrt(2)))"},
    {OpKind::kGeluTanh, "gelu", "tanh", OpClass::kUnary, "GeluTanh",
     "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))"},
    {OpKind::kSilu, "silu", "", OpClass::kUnary, "Silu", "x / (1 + exp(-x))"},
    {OpKind::kSigmoid, "sigmoid", "", OpClass::kUnary, "Sigmoid", "1 / (1 + exp(-x))"},
    {OpKind::kTanh, "tanh", "", OpClass::kUnary, "Tanh", "tanh(x)"},
    {OpKind::kCast, "cast", "", OpClass::kCast, "Cast", "x rounded to dtype"},
    {OpKind::kStore, "store", "", OpClass::kStore, "Store", "x, written to output rounded to dtype"},
};

constexpr bool InOrderOfKind() {
  int expected = 0;
  for (const OpTraits& row : kTable) {
    if (static_cast<int>(row.kind) != expected++) return false;
  }
  return expected == static_cast<int>(OpKind::kStore) + 1;
}
static_assert(InOrderOfKind());

}  // namespace

std::span<const OpTraits> OpTable() { return kTable; }

const OpTraits& Traits(OpKind kind) { return kTable[static_cast<int>(kind)]; }

const OpTraits* FindOp(std::string_view name, std::optional<std::string_view> form) {
  for (const OpTraits& row : kTable) {
    if (row.name == name && (!form || row.form == *form)) return &row;
  }
  return nullptr;
}

}  // namespace gemmd
