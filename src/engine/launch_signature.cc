#include "engine/launch_signature.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status.h"
#include "spec/diagnostic.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

// The size of a contiguous tensor; nothing over kMaxTensorBytes.
std::optional<std::int64_t> ContiguousBytes(DType dtype, const std::vector<std::int64_t>& extents) {
  std::int64_t bytes = SizeBytes(dtype);
  for (const std::int64_t extent : extents) {
    if (__builtin_mul_overflow(bytes, extent, &bytes) || bytes > kMaxTensorBytes) return std::nullopt;
  }
  return bytes;
}

absl::StatusOr<SignatureTensor> MakeTensor(std::string name, DType dtype, Layout layout,
                                           std::vector<std::int64_t> extents) {
  const std::optional<std::int64_t> bytes = extents.empty() ? 0 : ContiguousBytes(dtype, extents);
  if (!bytes) return InvalidArgument("{}: 2^62 bytes or more", name);
  return SignatureTensor{
      .name = std::move(name), .dtype = dtype, .layout = layout, .extents = std::move(extents), .bytes = *bytes};
}

absl::Status CheckScalarNames(const LaunchSignature& signature, const ScalarValues& scalars) {
  std::vector<std::string> names;
  for (const SignatureTensor& input : signature.inputs) {
    if (IsScalar(input)) names.push_back(input.name);
  }
  for (const auto& [name, value] : scalars) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string nearest = Nearest(name, names);
    return InvalidArgument("scalars.{}: not a scalar input of the spec{}", name,
                           nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest));
  }
  return absl::OkStatus();
}

}  // namespace

ScalarValues SomeScalars(const KernelSpec& spec) {
  ScalarValues scalars;
  for (const auto& [name, tensor] : spec.inputs) {
    if (tensor.shape.empty()) scalars[name] = 1;
  }
  return scalars;
}

absl::StatusOr<LaunchSignature> ResolveSignature(const KernelSpec& spec, const CanonicalSpec& canonical,
                                                 const DimValues& dims, const ScalarValues& scalars) {
  LaunchSignature signature;
  GEMMD_ASSIGN_OR_RETURN(signature.shape, ResolveShape(spec, dims));
  for (const std::string& name : canonical.bindings.inputs) {
    const TensorSpec& tensor = spec.inputs.at(name);
    GEMMD_ASSIGN_OR_RETURN(std::vector<std::int64_t> extents, ResolveTensor(spec, tensor, dims));
    GEMMD_ASSIGN_OR_RETURN(SignatureTensor input, MakeTensor(name, tensor.dtype, tensor.layout, std::move(extents)));
    const auto value = scalars.find(name);
    if (IsScalar(input) && value == scalars.end()) {
      return InvalidArgument("scalars.{}: missing; \"{}\" is a scalar input, given by value", name, name);
    }
    signature.scalars.push_back(IsScalar(input) ? value->second : 0.0f);
    signature.inputs.push_back(std::move(input));
  }
  for (OutputTensor& stored : ResolveOutputs(spec, signature.shape)) {
    GEMMD_ASSIGN_OR_RETURN(SignatureTensor output, MakeTensor(std::move(stored.name), stored.dtype, Layout::kRowMajor,
                                                              std::move(stored.shape)));
    signature.outputs.push_back(std::move(output));
  }
  GEMMD_RETURN_IF_ERROR(CheckScalarNames(signature, scalars));
  return signature;
}

}  // namespace gemmd
