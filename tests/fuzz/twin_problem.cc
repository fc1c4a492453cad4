#include "tests/fuzz/twin_problem.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "base/status.h"
#include "client/tensor/number_format.h"
#include "client/tensor/random_tensor.h"
#include "client/verify/verify.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

constexpr std::int64_t kSmallRows = 8, kSmallColumns = 48;
constexpr double kTellingShare = 0.9;  // of the elements
constexpr double kTightness = 1.0 / 32;
constexpr double kSmallest = 1e-3, kLargest = 2e3;  // mean magnitude: f16 has digits and room around it
constexpr char kProbe[] = "probe";

bool IsFinite(const Bounded& element) {
  return !element.undetermined && std::isfinite(element.value) && std::isfinite(element.error);
}

// `tolerance`: of one element.
bool IsTellingWithin(const ProbedValue& value, const std::function<double(const Bounded&)>& tolerance) {
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
  const double scale = value.may_be_constant ? std::max(magnitude, kSmallest) : spread;
  if (scale < kSmallest) return false;
  const auto tight = std::count_if(value.elements.begin(), value.elements.end(), [&](const Bounded& element) {
    return IsFinite(element) && tolerance(element) <= kTightness * scale;
  });
  return enough(tight);
}

// Sets the elements whose sign bit is set to 0.
void ZeroNegatives(Tensor& tensor) {
  const auto size = static_cast<std::size_t>(SizeBytes(tensor.dtype));
  for (std::size_t at = 0; at < tensor.bytes.size(); at += size) {
    if ((tensor.bytes[at + size - 1] & std::byte{0x80}) == std::byte{}) continue;
    std::fill_n(tensor.bytes.begin() + static_cast<std::ptrdiff_t>(at), size, std::byte{});
  }
}

}  // namespace

bool IsTelling(const ProbedValue& value) {
  return IsTellingWithin(value, [](const Bounded& element) { return element.error; });
}

bool IsTelling(const ProbedValue& value, DType stored_as) {
  const NumberFormat format = FormatOf(stored_as);
  return IsTellingWithin(value, [&](const Bounded& element) {
    return element.error + HalfSpacing(std::abs(element.value) + element.error, format);
  });
}

double MeanMagnitude(const ProbedValue& value) {
  double sum = 0, finite = 0;
  for (const Bounded& element : value.elements) {
    if (!IsFinite(element)) continue;
    sum += std::abs(element.value);
    ++finite;
  }
  return finite == 0 ? 0 : sum / finite;
}

TwinProblem::TwinProblem(DeviceProblem* problem, const DrawnShape& shape, std::uint64_t seed)
    : problem_(problem), shape_(shape), small_shape_(shape), seed_(seed) {
  GemmShape& small = small_shape_.extents;
  small.m = std::min(small.m, kSmallRows);
  small.n = std::min(small.n, kSmallColumns);
  if (shape.n == shape.m) small.n = small.m;
  if (shape.k == shape.m) small.k = small.m;
  const auto shrink = [&](ShapeEntry& entry, std::int64_t extent) {
    if (const auto* name = std::get_if<std::string>(&entry)) {
      small_.spec.dims[*name] = Dim{extent};
    } else {
      entry = extent;
    }
  };
  shrink(small_shape_.m, small.m);
  shrink(small_shape_.n, small.n);
  shrink(small_shape_.k, small.k);
  small_shape_.half_n = small.n / 2;
}

bool TwinProblem::HasHalves() const {
  const auto* name = std::get_if<std::string>(&shape_.n);
  const bool literal = name == nullptr || problem_->spec.dims.at(*name).extent.has_value();
  return literal && shape_.extents.n % 2 == 0;
}

void TwinProblem::NameHalf() {
  const std::string half = "H";
  for (const auto& [name, axes] : axes_) {
    if (axes.empty() || axes.back() != Axis::kHalfN) continue;
    problem_->spec.inputs.at(name).shape.back() = half;
    problem_->spec.dims[half] = Dim{shape_.extents.n / 2};
  }
}

std::vector<ShapeEntry> TwinProblem::EntriesOf(const DrawnShape& shape, const Axes& axes) {
  const auto entry = [&](Axis axis) -> const ShapeEntry& {
    switch (axis) {
      case Axis::kM:
        return shape.m;
      case Axis::kN:
        return shape.n;
      case Axis::kK:
        return shape.k;
      case Axis::kHalfN:
        return shape.half_n;
    }
    return shape.m;
  };
  std::vector<ShapeEntry> entries;
  for (const Axis axis : axes) entries.push_back(entry(axis));
  return entries;
}

absl::Status TwinProblem::AddInput(const std::string& name, DType dtype, const Axes& axes, Layout layout, bool mask) {
  problem_->spec.inputs[name] = {dtype, EntriesOf(shape_, axes), layout};
  small_.spec.inputs[name] = {dtype, EntriesOf(small_shape_, axes), layout};
  axes_[name] = axes;
  if (mask) masks_.insert(name);
  return Fill(small_, name);
}

void TwinProblem::RemoveInput(const std::string& name) {
  problem_->spec.inputs.erase(name);
  small_.spec.inputs.erase(name);
  small_.inputs.erase(name);
  small_.scalars.erase(name);
  axes_.erase(name);
  masks_.erase(name);
}

absl::Status TwinProblem::Fill(DeviceProblem& problem, const std::string& name) const {
  const bool mask = masks_.contains(name);
  if (problem.spec.inputs.at(name).shape.empty()) {
    const float scalar = RandomScalar(seed_, name);
    problem.scalars[name] = mask ? std::max(scalar, 0.0f) : scalar;
    return absl::OkStatus();
  }
  GEMMD_ASSIGN_OR_RETURN(problem.inputs[name], RandomInput(problem.spec, name, problem.dims, seed_));
  if (mask) ZeroNegatives(problem.inputs[name]);
  return absl::OkStatus();
}

absl::Status TwinProblem::FillProblem() {
  for (const auto& [name, axes] : axes_) GEMMD_RETURN_IF_ERROR(Fill(*problem_, name));
  return absl::OkStatus();
}

absl::StatusOr<ProbedValue> TwinProblem::Probe(const std::vector<Operation>& epilogue) const {
  const GemmShape& small = small_shape_.extents;
  KernelSpec spec = small_.spec;
  spec.matmul_a = problem_->spec.matmul_a;
  spec.matmul_b = problem_->spec.matmul_b;
  spec.precision = problem_->spec.precision;
  spec.prologue_a = problem_->spec.prologue_a;
  spec.prologue_b = problem_->spec.prologue_b;
  spec.epilogue = epilogue;
  spec.epilogue.push_back({.kind = OpKind::kStore, .output = kProbe, .dtype = DType::kF32});
  VerifySubject subject;
  subject.scalars = small_.scalars;
  for (const auto& [name, tensor] : small_.inputs) subject.inputs[name] = tensor.view();
  std::vector<Tensor> outputs;  // of zeros: what they are compared with is all that counts
  outputs.reserve(spec.epilogue.size());
  std::int64_t elements = 0;  // of the last value
  for (OutputTensor& output : ResolveOutputs(spec, small)) {
    elements = ElementCount(output.shape);
    outputs.push_back(MakeTensor(output.dtype, std::move(output.shape)));
    subject.outputs[output.name] = outputs.back().view();
  }
  ProbedValue value{.elements = {}, .may_be_constant = small.k == 0 || elements < 16};
  const auto keep = [&](const std::string& output, const Bounded& reference) {
    if (output == kProbe) value.elements.push_back(reference);
  };
  GEMMD_RETURN_IF_ERROR(Verify(spec, subject, {.rows = small.m, .threads = 1, .observe = keep}).status());
  return value;
}

}  // namespace gemmd
