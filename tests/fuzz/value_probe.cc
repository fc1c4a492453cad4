#include "tests/fuzz/value_probe.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>

#include "base/status.h"
#include "client/tensor/number_format.h"
#include "client/verify/chain_reference.h"
#include "client/verify/product_reference.h"
#include "client/verify/row_sample.h"

namespace gemmd {
namespace {

constexpr std::int64_t kSampledRows = 8;
constexpr double kTellingShare = 0.9;  // of the elements
constexpr double kTightness = 1.0 / 32;
constexpr double kSmallest = 1e-3, kLargest = 2e3;  // mean magnitude: f16 has digits and room around it

bool IsFinite(const Bounded& element) {
  return !element.undetermined && std::isfinite(element.value) && std::isfinite(element.error);
}

// `tolerance`: of one element.
bool IsTelling(const ProbedValue& value, const std::function<double(const Bounded&)>& tolerance) {
  if (value.elements.empty()) return true;
  double sum = 0, magnitude = 0;
  std::int64_t finite = 0;
  for (const Bounded& element : value.elements) {
    if (!IsFinite(element)) continue;
    ++finite;
    sum += element.value;
    magnitude += std::abs(element.value);
  }
  const auto enough = [&](std::int64_t count) {
    return static_cast<double>(count) >= kTellingShare * static_cast<double>(value.elements.size());
  };
  if (!enough(finite)) return false;
  const double mean = sum / static_cast<double>(finite);
  magnitude /= static_cast<double>(finite);
  double spread = 0;
  for (const Bounded& element : value.elements) {
    if (IsFinite(element)) spread += std::abs(element.value - mean) / static_cast<double>(finite);
  }
  if (magnitude > kLargest) return false;
  double scale = spread;
  if (value.may_be_constant) scale = std::max(magnitude, kSmallest);
  if (scale < kSmallest) return false;
  const auto tight = std::count_if(value.elements.begin(), value.elements.end(), [&](const Bounded& element) {
    return IsFinite(element) && tolerance(element) <= kTightness * scale;
  });
  return enough(tight);
}

}  // namespace

bool IsTelling(const ProbedValue& value) {
  return IsTelling(value, [](const Bounded& element) { return element.error; });
}

bool IsTelling(const ProbedValue& value, DType stored_as) {
  const NumberFormat format = FormatOf(stored_as);
  return IsTelling(value, [&](const Bounded& element) {
    return element.error + HalfSpacing(std::abs(element.value) + element.error, format);
  });
}

absl::StatusOr<ValueProbe> ValueProbe::Create(const DeviceProblem& problem) {
  const TensorView a = problem.inputs.at(problem.spec.matmul_a).view();
  const TensorView b = problem.inputs.at(problem.spec.matmul_b).view();
  if (a.shape.size() != 2 || b.shape.size() != 2 || a.shape[1] != b.shape[0]) {
    return InvalidArgument("A and B are not [M, K] and [K, N]");
  }
  ValueProbe probe;
  probe.m_ = a.shape[0];
  probe.n_ = b.shape[1];
  probe.rows_ = SampleRows(probe.m_, kSampledRows, 0);
  probe.columns_ = std::min(probe.n_, ProductReference::kBlockColumns);
  const std::int64_t sampled = static_cast<std::int64_t>(probe.rows_.size()) * probe.columns_;
  probe.may_be_constant_ = a.shape[1] == 0 || sampled < 16;
  probe.product_.resize(static_cast<std::size_t>(sampled));
  std::map<std::string, TensorView> inputs;
  for (const auto& [name, tensor] : problem.inputs) inputs[name] = tensor.view();
  GEMMD_ASSIGN_OR_RETURN(const PrologueReferences prologues,
                         PrologueReferences::Create(problem.spec, inputs, problem.scalars,
                                                    {.m = probe.m_, .n = probe.n_, .k = a.shape[1]}));
  const ProductReference product({a, prologues.a}, {b, prologues.b}, probe.rows_, problem.spec.precision);
  if (sampled > 0) product.Columns(0, probe.columns_, probe.product_);
  return probe;
}

absl::StatusOr<ProbedValue> ValueProbe::Evaluate(const DeviceProblem& problem,
                                                 const std::vector<Operation>& chain) const {
  const std::string output = "probe";
  KernelSpec spec = problem.spec;
  spec.epilogue = chain;
  spec.epilogue.push_back({.kind = OpKind::kStore, .output = output, .dtype = DType::kF32});
  std::map<std::string, TensorView> inputs;
  for (const auto& [name, tensor] : problem.inputs) inputs[name] = tensor.view();
  GEMMD_ASSIGN_OR_RETURN(const ChainReference reference,
                         ChainReference::Create(spec, EpilogueOf(spec, {.m = m_, .n = n_}), inputs, problem.scalars));
  ProbedValue value{.elements = {}, .may_be_constant = may_be_constant_};
  const auto columns = static_cast<std::size_t>(columns_);
  for (std::size_t r = 0; r < rows_.size() && columns > 0; ++r) {
    const std::span<const Bounded> row = std::span(product_).subspan(r * columns, columns);
    reference.EvaluateRow(rows_[r], 0, row, [&](const std::string& name, std::span<const Bounded> values) {
      if (name == output) value.elements.insert(value.elements.end(), values.begin(), values.end());
    });
  }
  return value;
}

}  // namespace gemmd
