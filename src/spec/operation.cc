#include "spec/operation.h"

#include <algorithm>

namespace gemmd {
namespace {

constexpr NumberField kValue{"value", &Operation::value};
constexpr NumberField kMin{"min", &Operation::min};
constexpr NumberField kMax{"max", &Operation::max};
constexpr NumberField kAlpha{"alpha", &Operation::alpha};
constexpr NumberField kEps{"eps", &Operation::eps};
constexpr NumberField kCorrection{"correction", &Operation::correction};
constexpr NumberField kNumberFields[] = {kValue, {"scale", &Operation::scale}, kMin, kMax, kAlpha, kEps, kCorrection};
constexpr VectorField kWeightAndBias[] = {{"weight", &Operation::weight, OpKind::kMul},
                                          {"bias", &Operation::bias, OpKind::kAdd}};
constexpr std::span<const VectorField> kWeight(kWeightAndBias, 1);

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr OpParam kSlope[] = {{kValue, 0.01f}};
constexpr OpParam kUnitAlpha[] = {{kAlpha, 1.0f}};
constexpr OpParam kBounds[] = {{kMin, -kInfinity}, {kMax, kInfinity}};
constexpr OpParam kCap[] = {{kValue, std::nullopt, 0.0}};
constexpr OpParam kNormEps[] = {{.field = kEps, .fallback = 1e-5f, .least = 0}};
constexpr OpParam kLengthEps[] = {{.field = kEps, .fallback = 1e-12f, .least = 0}};
constexpr OpParam kBesselCorrection[] = {{.field = kCorrection, .fallback = 1.0f, .least = 0}};

// In the order of OpKind.
constexpr OpTraits kTable[] = {
    {OpKind::kAdd, "add", "", OpClass::kBinary, "Add", "x + y"},
    {OpKind::kSub, "sub", "", OpClass::kBinary, "Sub", "x - y"},
    {OpKind::kMul, "mul", "", OpClass::kBinary, "Mul", "x * y"},
    {OpKind::kDiv, "div", "", OpClass::kBinary, "Div", "x / y"},
    {OpKind::kMax, "max", "", OpClass::kBinary, "Maximum", "max(x, y)"},
    {OpKind::kMin, "min", "", OpClass::kBinary, "Minimum", "min(x, y)"},
    {OpKind::kDRelu, "drelu", "", OpClass::kBinary, "DRelu", "x where y > 0, else 0"},
    {OpKind::kDGeluErf, "dgelu", "erf", OpClass::kBinary, "DGeluErf", "x * gelu'(y)"},
    {OpKind::kDGeluTanh, "dgelu", "tanh", OpClass::kBinary, "DGeluTanh", "x * gelu'(y)"},
    {OpKind::kDSilu, "dsilu", "", OpClass::kBinary, "DSilu", "x * silu'(y)"},
    {OpKind::kEq, "eq", "", OpClass::kBinary, "Equal", "1 where x = y, else 0"},
    {OpKind::kNe, "ne", "", OpClass::kBinary, "NotEqual", "1 where x differs from y, else 0"},
    {OpKind::kLt, "lt", "", OpClass::kBinary, "Less", "1 where x < y, else 0"},
    {OpKind::kLe, "le", "", OpClass::kBinary, "LessEqual", "1 where x <= y, else 0"},
    {OpKind::kGt, "gt", "", OpClass::kBinary, "Greater", "1 where x > y, else 0"},
    {OpKind::kGe, "ge", "", OpClass::kBinary, "GreaterEqual", "1 where x >= y, else 0"},
    {OpKind::kWhere, "where", "", OpClass::kSelect, "Where", "x where c is not 0, else y"},
    {OpKind::kRelu, "relu", "", OpClass::kUnary, "Relu", "max(x, 0)"},
    {OpKind::kRelu2, "relu2", "", OpClass::kUnary, "Relu2", "max(x, 0)^2"},
    {OpKind::kLeakyRelu, "leaky_relu", "", OpClass::kUnary, "LeakyRelu", "x where x > 0, else value * x", kSlope},
    {OpKind::kElu, "elu", "", OpClass::kUnary, "Elu", "x where x > 0, else alpha * (exp(x) - 1)", kUnitAlpha},
    {OpKind::kClamp, "clamp", "", OpClass::kUnary, "Clamp", "min(max(x, min), max)", kBounds},
    {OpKind::kGeluErf, "gelu", "erf", OpClass::kUnary, "GeluErf", "x / 2 * (1 + erf(x / sqrt(2)))"},
    {OpKind::kGeluTanh, "gelu", "tanh", OpClass::kUnary, "GeluTanh",
     "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))"},
    {OpKind::kQuickGelu, "quick_gelu", "", OpClass::kUnary, "QuickGelu", "x / (1 + exp(-1.702 * x))"},
    {OpKind::kSilu, "silu", "", OpClass::kUnary, "Silu", "x / (1 + exp(-x))"},
    {OpKind::kHardswish, "hardswish", "", OpClass::kUnary, "Hardswish", "x * min(max(x + 3, 0), 6) / 6"},
    {OpKind::kSigmoid, "sigmoid", "", OpClass::kUnary, "Sigmoid", "1 / (1 + exp(-x))"},
    {OpKind::kTanh, "tanh", "", OpClass::kUnary, "Tanh", "tanh(x)"},
    {OpKind::kSoftcap, "softcap", "", OpClass::kUnary, "Softcap", "value * tanh(x / value)", kCap},
    {OpKind::kSoftplus, "softplus", "", OpClass::kUnary, "Softplus", "log(1 + exp(x))"},
    {OpKind::kErf, "erf", "", OpClass::kUnary, "Erf", "erf(x)"},
    {OpKind::kExp, "exp", "", OpClass::kUnary, "Exp", "exp(x)"},
    {OpKind::kLog, "log", "", OpClass::kUnary, "Log", "log(x)"},
    {OpKind::kSqrt, "sqrt", "", OpClass::kUnary, "Sqrt", "sqrt(x)"},
    {OpKind::kRsqrt, "rsqrt", "", OpClass::kUnary, "Rsqrt", "1 / sqrt(x)"},
    {OpKind::kAbs, "abs", "", OpClass::kUnary, "Abs", "|x|"},
    {OpKind::kNeg, "neg", "", OpClass::kUnary, "Neg", "-x"},
    {OpKind::kSquare, "square", "", OpClass::kUnary, "Square", "x * x"},
    {OpKind::kSwiglu, "swiglu", "", OpClass::kGate, "Swiglu", "silu(x) * y"},
    {OpKind::kGegluErf, "geglu", "erf", OpClass::kGate, "GegluErf", "gelu(x) * y"},
    {OpKind::kGegluTanh, "geglu", "tanh", OpClass::kGate, "GegluTanh", "gelu(x) * y"},
    {OpKind::kReglu, "reglu", "", OpClass::kGate, "Reglu", "relu(x) * y"},
    {OpKind::kRmsNorm, "rms_norm", "", OpClass::kNormalize, "RmsNorm", "x / sqrt(mean(x^2) + eps) * weight", kNormEps,
     kWeight},
    {OpKind::kLayerNorm, "layer_norm", "", OpClass::kNormalize, "LayerNorm",
     "(x - mean(x)) / sqrt(var(x) + eps) * weight + bias, var without correction", kNormEps, kWeightAndBias},
    {OpKind::kSoftmax, "softmax", "", OpClass::kNormalize, "Softmax", "exp(x) / sum(exp(x))"},
    {OpKind::kLogSoftmax, "log_softmax", "", OpClass::kNormalize, "LogSoftmax", "x - log(sum(exp(x)))"},
    {OpKind::kL2Normalize, "l2_normalize", "", OpClass::kNormalize, "L2Normalize", "x / max(sqrt(sum(x^2)), eps)",
     kLengthEps},
    {OpKind::kLogsumexp, "logsumexp", "", OpClass::kReduce, "Logsumexp", "log(sum(exp(x)))"},
    {OpKind::kRowSum, "sum", "", OpClass::kReduce, "RowSum", "the sum of a row"},
    {OpKind::kRowMean, "mean", "", OpClass::kReduce, "RowMean", "the mean of a row"},
    {OpKind::kRowVar, "var", "", OpClass::kReduce, "RowVar", "sum((x - mean(x))^2) / max(N - correction, 0)",
     kBesselCorrection},
    {OpKind::kRowMax, "max", "", OpClass::kReduce, "RowMax", "the largest of a row, where there is no y"},
    {OpKind::kRowMin, "min", "", OpClass::kReduce, "RowMin", "the smallest of a row, where there is no y"},
    {OpKind::kRowArgmax, "argmax", "", OpClass::kReduce, "RowArgmax", "the first column of a row's largest"},
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

std::span<const NumberField> NumberFields() { return kNumberFields; }

std::span<const VectorField> VectorFields() { return kWeightAndBias; }

std::span<const OpTraits> OpTable() { return kTable; }

const OpTraits& Traits(OpKind kind) { return kTable[static_cast<int>(kind)]; }

bool TakesArgument(OpKind kind) {
  const OpClass op_class = Traits(kind).op_class;
  return op_class == OpClass::kBinary || op_class == OpClass::kSelect;
}

bool IsRowWise(OpKind kind) {
  const OpClass op_class = Traits(kind).op_class;
  return op_class == OpClass::kNormalize || op_class == OpClass::kReduce;
}

OpKind WithoutArgument(OpKind kind) {
  if (Traits(kind).op_class != OpClass::kBinary) return kind;
  const auto reduces = [&](const OpTraits& row) {
    return row.name == Traits(kind).name && row.op_class == OpClass::kReduce;
  };
  const auto found = std::ranges::find_if(kTable, reduces);
  return found != std::end(kTable) ? found->kind : kind;
}

OpKind ActivationOf(OpKind gate) {
  if (gate == OpKind::kSwiglu) return OpKind::kSilu;
  if (gate == OpKind::kGegluErf) return OpKind::kGeluErf;
  if (gate == OpKind::kGegluTanh) return OpKind::kGeluTanh;
  return OpKind::kRelu;
}

bool HasRoundedForm(OpKind kind) {
  constexpr OpKind kKinds[] = {OpKind::kGeluErf, OpKind::kGeluTanh, OpKind::kQuickGelu, OpKind::kSilu,
                               OpKind::kSigmoid, OpKind::kSwiglu,   OpKind::kGegluErf,  OpKind::kGegluTanh};
  return std::ranges::find(kKinds, kind) != std::end(kKinds);
}

const OpTraits* FindOp(std::string_view name, std::optional<std::string_view> form) {
  for (const OpTraits& row : kTable) {
    if (row.name == name && (!form || row.form == *form)) return &row;
  }
  return nullptr;
}

std::vector<float> ParamsOf(const Operation& operation) {
  std::vector<float> params;
  for (const OpParam& param : Traits(operation.kind).params) {
    const std::optional<double>& given = operation.*param.field.member;
    params.push_back(given ? static_cast<float>(*given) : param.fallback.value_or(0.0f));
  }
  return params;
}

}  // namespace gemmd
