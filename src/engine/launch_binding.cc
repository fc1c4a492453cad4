#include "engine/launch_binding.h"

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "runtime/launch_plan.h"
#include "spec/diagnostic.h"

namespace gemmd {
namespace {

absl::Status CheckNames(const LaunchSignature& signature, const TensorArguments& arguments) {
  std::vector<std::string> names;
  for (const SignatureTensor& input : signature.inputs) {
    if (!IsScalar(input)) names.push_back(input.name);
  }
  for (const SignatureTensor& output : signature.outputs) names.push_back(output.name);
  for (const auto& [name, argument] : arguments) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string nearest = Nearest(name, names);
    return InvalidArgument("tensors.{}: not a tensor of the spec{}", name,
                           nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest));
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorBinding> BindTensor(const SignatureTensor& tensor, const TensorArguments& arguments) {
  const auto found = arguments.find(tensor.name);
  if (found == arguments.end()) return InvalidArgument("tensors.{}: missing", tensor.name);
  const TensorBinding& binding = found->second.binding;
  const std::int64_t element_bytes = SizeBytes(tensor.dtype);
  if (binding.offset_bytes < 0 || binding.offset_bytes % element_bytes != 0) {
    return InvalidArgument("tensors.{}: offset_bytes is {}, expected a multiple of {} (a {} element)", tensor.name,
                           binding.offset_bytes, element_bytes, Name(tensor.dtype));
  }
  return binding;
}

// Elements that follow one another in memory: a row's, or a column's of a column-major matrix.
std::int64_t LineExtent(const SignatureTensor& tensor) {
  const bool by_column = tensor.extents.size() == 2 && tensor.layout == Layout::kColumnMajor;
  return by_column ? tensor.extents.front() : tensor.extents.back();
}

// Addresses that no two buffers share, for checks that only compare: 2^48 apart, the first 0 for none.
std::vector<MemoryRange> StandInRanges(const std::vector<std::string>& names, const TensorArguments& arguments,
                                       std::vector<BufferId>& seen) {
  std::vector<MemoryRange> ranges;
  for (const std::string& name : names) {
    const auto found = arguments.find(name);
    if (found == arguments.end()) {
      ranges.emplace_back();
      continue;
    }
    auto position = std::find(seen.begin(), seen.end(), found->second.binding.buffer);
    if (position == seen.end()) position = seen.insert(seen.end(), found->second.binding.buffer);
    const auto ordinal = static_cast<std::uint64_t>(position - seen.begin()) + 1;
    ranges.push_back({.address = ordinal << 48, .bytes = found->second.buffer_bytes});
  }
  return ranges;
}

}  // namespace

absl::StatusOr<LaunchRequest> BindLaunch(const LaunchSignature& signature, const TensorArguments& arguments) {
  GEMMD_RETURN_IF_ERROR(CheckNames(signature, arguments));
  LaunchRequest request{.kernel = {}, .shape = signature.shape, .inputs = {}, .outputs = {}, .scalars = {}};
  request.scalars.assign(signature.scalars.begin(), signature.scalars.end());
  for (const SignatureTensor& tensor : signature.inputs) {
    if (IsScalar(tensor)) {
      request.inputs.emplace_back();
      continue;
    }
    GEMMD_ASSIGN_OR_RETURN(TensorBinding binding, BindTensor(tensor, arguments));
    request.inputs.push_back(binding);
  }
  for (const SignatureTensor& tensor : signature.outputs) {
    GEMMD_ASSIGN_OR_RETURN(TensorBinding binding, BindTensor(tensor, arguments));
    request.outputs.push_back(binding);
  }
  return request;
}

Assumptions AssumptionsOf(const LaunchSignature& signature, const TensorArguments& arguments) {
  const auto alignment = [&](const SignatureTensor& tensor) {
    if (IsScalar(tensor)) return kAccessBytes;
    const TensorBinding& binding = arguments.at(tensor.name).binding;
    if (tensor.extents.size() == 1) return AlignmentOf(binding.offset_bytes, 0);
    const std::int64_t pitch = binding.leading_dimension != 0 ? binding.leading_dimension : LineExtent(tensor);
    return AlignmentOf(binding.offset_bytes, pitch % kAccessBytes * SizeBytes(tensor.dtype));
  };
  Assumptions assumptions;
  for (const SignatureTensor& input : signature.inputs) assumptions.inputs.push_back(alignment(input));
  for (const SignatureTensor& output : signature.outputs) assumptions.outputs.push_back(alignment(output));
  return assumptions;
}

absl::Status CheckLaunch(const Manifest& manifest, const CanonicalSpec& canonical, const LaunchRequest& request,
                         const TensorArguments& arguments) {
  std::vector<BufferId> seen;
  const std::vector<MemoryRange> inputs = StandInRanges(canonical.bindings.inputs, arguments, seen);
  const std::vector<MemoryRange> outputs = StandInRanges(canonical.bindings.outputs, arguments, seen);
  return PlanLaunch(WithNames(manifest, canonical.bindings), request, inputs, outputs).status();
}

Manifest WithNames(Manifest manifest, const Bindings& bindings) {
  for (std::size_t i = 0; i < manifest.inputs.size(); ++i) manifest.inputs[i].name = bindings.inputs[i];
  for (std::size_t i = 0; i < manifest.outputs.size(); ++i) manifest.outputs[i].name = bindings.outputs[i];
  return manifest;
}

}  // namespace gemmd
