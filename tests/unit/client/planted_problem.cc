#include "planted_problem.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "client/tensor/number_format.h"
#include "client/tensor/random_tensor.h"

namespace gemmd {
namespace {

constexpr std::int64_t kM = 150, kN = 77, kK = 133, kTile = 64;

KernelSpec MakeSpec() {
  KernelSpec spec;
  spec.dims = {{"M", {}}, {"K", {kK}}, {"N", {kN}}};
  spec.inputs = {{"x", {DType::kF16, {"M", "K"}, Layout::kRowMajor}},
                 {"w", {DType::kF16, {"K", "N"}, Layout::kColumnMajor}},
                 {"residual", {DType::kF16, {"M", "N"}, Layout::kRowMajor}},
                 {"bias", {DType::kF16, {"N"}, Layout::kRowMajor}},
                 {"row_scale", {DType::kF32, {"M"}, Layout::kRowMajor}},
                 {"alpha", {DType::kF32, {}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  const auto binary = [](OpKind kind, std::string operand) {
    Operation operation;
    operation.kind = kind;
    operation.operand = std::move(operand);
    return operation;
  };
  const auto store = [](std::string output, DType dtype) {
    Operation operation;
    operation.kind = OpKind::kStore;
    operation.output = std::move(output);
    operation.dtype = dtype;
    return operation;
  };
  Operation literal, gelu, residual = binary(OpKind::kAdd, "residual");
  literal.kind = OpKind::kMul;
  literal.value = 1.25;
  gelu.kind = OpKind::kGeluErf;
  residual.scale = 0.5;
  spec.epilogue = {literal,
                   residual,
                   binary(OpKind::kAdd, "bias"),
                   binary(OpKind::kMul, "row_scale"),
                   store("aux", DType::kF32),
                   gelu,
                   binary(OpKind::kAdd, "alpha"),
                   store("out", DType::kF16)};
  return spec;
}

float At(const Tensor& tensor, std::int64_t index) {
  return static_cast<float>(DecodeElement(tensor.bytes, tensor.dtype, index));
}

void Put(Tensor& tensor, std::int64_t index, double value, bool truncate = false) {
  const NumberFormat format = FormatOf(tensor.dtype);
  std::uint32_t bits = EncodeNumber(value, format);
  if (truncate && std::abs(DecodeNumber(bits, format)) > std::abs(value)) --bits;
  std::memcpy(tensor.bytes.data() + index * SizeBytes(tensor.dtype), &bits,
              static_cast<std::size_t>(SizeBytes(tensor.dtype)));
}

float Accumulate(const PlantedProblem& problem, std::int64_t m, std::int64_t n, Bug bug) {
  const Tensor &x = problem.inputs.at("x"), &w = problem.inputs.at("w");
  std::int64_t steps = kK;
  if (bug == Bug::kMissingTailOfK) steps = kK / 16 * 16;
  if (bug == Bug::kMissingLastStep) steps = kK - 1;
  float sum = 0;
  for (std::int64_t k = bug == Bug::kFirstStepTwice ? -1 : 0; k < steps; ++k) {
    const std::int64_t step = std::max<std::int64_t>(k, 0);
    const float a = At(x, bug == Bug::kSwappedLayoutOfA ? step * kM + m : m * kK + step);
    const float b = At(w, bug == Bug::kSwappedLayoutOfB ? step * kN + n : n * kK + step);
    float product = a * b;
    if (bug == Bug::kProductsInBf16) product = static_cast<float>(RoundTo(product, FormatOf(DType::kBf16)));
    sum += product;
    if (bug == Bug::kF16Accumulation) sum = static_cast<float>(RoundTo(sum, FormatOf(DType::kF16)));
  }
  return sum;
}

float Gelu(float x, Bug bug) {
  if (bug == Bug::kActivationMissing) return x;
  if (bug == Bug::kTanhGelu) return 0.5f * x * (1 + std::tanh(0.79788456f * (x + 0.044715f * x * x * x)));
  return 0.5f * x * (1 + std::erf(x * 0.70710678f));
}

struct Values {
  float aux = 0, out = 0;
};

Values Chain(const PlantedProblem& problem, float value, std::int64_t m, std::int64_t n, Bug bug) {
  const auto input = [&](const char* name, std::int64_t index) { return At(problem.inputs.at(name), index); };
  const bool late_literal = bug == Bug::kLiteralAfterResidual;
  if (bug != Bug::kMissingLiteral && !late_literal) value *= 1.25f;
  std::int64_t at = m * kN + n;
  if (bug == Bug::kResidualTransposed) at = n * kM + m;
  if (bug == Bug::kResidualOfNextRow) at = (m + 1) % kM * kN + n;
  float residual = input("residual", at) * (bug == Bug::kMissingScale ? 1.0f : 0.5f);
  if (bug == Bug::kScaleTwice) residual *= 0.5f;
  value += bug == Bug::kResidualSign ? -residual : residual;
  if (late_literal) value *= 1.25f;
  if (bug == Bug::kActivationBeforeBias) value = Gelu(value, bug);
  std::int64_t bias = n;
  if (bug == Bug::kBiasOfNextColumn) bias = (n + 1) % kN;
  if (bug == Bug::kBiasByRow) bias = m % kN;
  if (bug != Bug::kBiasMissing) value += input("bias", bias);
  value *= input("row_scale", bug == Bug::kScaleByColumn ? n : m);
  if (bug == Bug::kCastInBetween) value = static_cast<float>(RoundTo(value, FormatOf(DType::kF16)));
  Values values{.aux = value};
  if (bug != Bug::kActivationBeforeBias) value = Gelu(value, bug);
  if (bug == Bug::kAuxAfterActivation) values.aux = value;
  if (bug == Bug::kAuxRounded) values.aux = static_cast<float>(RoundTo(values.aux, FormatOf(DType::kF16)));
  values.out = bug == Bug::kScalarIgnored ? value : value + problem.scalars.at("alpha");
  return values;
}

bool Unwritten(Bug bug, std::int64_t m, std::int64_t n) {
  if (bug == Bug::kUnwrittenCorner) return m == kM - 1 && n == kN - 1;
  return bug == Bug::kUnwrittenLastTile && m >= kM / kTile * kTile && n >= kN / kTile * kTile;
}

// Mistakes that are made when results are already there.
void Spoil(PlantedProblem& problem, Bug bug) {
  Tensor &out = problem.outputs["out"], &aux = problem.outputs["aux"];
  const Tensor right = out;
  for (std::int64_t m = 0; m < kM; ++m) {
    for (std::int64_t n = 0; n < kN; ++n) {
      const std::int64_t at = m * kN + n;
      if (bug == Bug::kWrongColumn && n == 41) Put(out, at, At(right, at) * 1.01);
      if (bug == Bug::kWrongRow && m == 128) Put(out, at, At(right, at - kN));
      if (bug == Bug::kShiftedRow) Put(out, at, At(right, (m + 1) % kM * kN + n));
      if (bug == Bug::kTransposedOutput) Put(out, n * kM + m, At(right, at));
      if (bug == Bug::kSwappedOutputs) {
        Put(out, at, At(aux, at));
        Put(aux, at, At(right, at));
      }
    }
  }
  const std::int64_t one = 127 * kN + 30;
  if (bug == Bug::kOneNan) Put(out, one, NAN);
  if (bug == Bug::kOneInfinity) Put(out, one, INFINITY);
  if (bug == Bug::kZeroedElement) Put(out, one, 0);
}

PlantedProblem MakeProblem(std::uint64_t seed) {
  PlantedProblem problem{.spec = MakeSpec(), .inputs = {}, .scalars = {{"alpha", 0.375f}}, .outputs = {}};
  const std::map<std::string, std::int64_t> extents = {{"M", kM}, {"N", kN}, {"K", kK}};
  for (const auto& [name, declared] : problem.spec.inputs) {
    if (declared.shape.empty()) continue;
    std::vector<std::int64_t> shape;
    for (const ShapeEntry& entry : declared.shape) shape.push_back(extents.at(std::get<std::string>(entry)));
    Tensor tensor = MakeTensor(declared.dtype, shape, declared.layout);
    FillRandom(tensor, seed, name, name == "w" ? 1 / std::sqrt(static_cast<double>(kK)) : 1.0);
    problem.inputs[name] = std::move(tensor);
  }
  problem.outputs = {{"aux", MakeTensor(DType::kF32, {kM, kN})}, {"out", MakeTensor(DType::kF16, {kM, kN})}};
  for (auto& [name, tensor] : problem.outputs) Poison(tensor);
  return problem;
}

}  // namespace

VerifySubject PlantedProblem::Subject() const {
  VerifySubject subject{.inputs = {}, .scalars = scalars, .outputs = {}};
  for (const auto& [name, tensor] : inputs) subject.inputs[name] = tensor.view();
  for (const auto& [name, tensor] : outputs) subject.outputs[name] = tensor.view();
  return subject;
}

PlantedProblem SolveWith(Bug bug) {
  PlantedProblem problem = MakeProblem(1);
  // A stale output is that of an earlier call, on other inputs.
  const PlantedProblem asked = bug == Bug::kStaleOutput ? MakeProblem(2) : problem;
  for (std::int64_t m = 0; m < kM; ++m) {
    for (std::int64_t n = 0; n < kN; ++n) {
      if (Unwritten(bug, m, n)) continue;
      const Values values = Chain(asked, Accumulate(asked, m, n, bug), m, n, bug);
      if (bug != Bug::kUnwrittenAux) Put(problem.outputs["aux"], m * kN + n, values.aux);
      Put(problem.outputs["out"], m * kN + n, values.out, bug == Bug::kTruncatingStore);
    }
  }
  Spoil(problem, bug);
  return problem;
}

}  // namespace gemmd
