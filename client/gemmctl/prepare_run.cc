#include "client/gemmctl/prepare_run.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status.h"
#include "client/gemmctl/tensor_files.h"
#include "client/tensor/random_tensor.h"
#include "spec/diagnostic.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

using Names = std::vector<std::string>;

std::string Unknown(std::string_view option, const std::string& name, const Names& names) {
  std::string text = fmt::format("{}: the spec has no such {} \"{}\"", option, option.substr(2), name);
  if (const std::string nearest = Nearest(name, names); !nearest.empty()) {
    text += fmt::format("; did you mean \"{}\"?", nearest);
  }
  return text + "\n";
}

// A line for each given name that the spec does not have.
template <typename Value>
std::string UnknownNames(std::string_view option, const std::map<std::string, Value>& given, const Names& names) {
  std::string errors;
  for (const auto& [name, value] : given) {
    if (std::find(names.begin(), names.end(), name) == names.end()) errors += Unknown(option, name, names);
  }
  return errors;
}

std::string CheckNames(const KernelSpec& spec, const RunOptions& options) {
  Names scalars, inputs, outputs;
  for (const auto& [name, tensor] : spec.inputs) (tensor.shape.empty() ? scalars : inputs).push_back(name);
  for (const Operation& operation : spec.epilogue) {
    if (operation.kind == OpKind::kStore) outputs.push_back(operation.output);
  }
  std::string errors = UnknownNames("--scalar", options.scalars, scalars);
  errors += UnknownNames("--input", options.inputs, inputs) + UnknownNames("--output", options.outputs, outputs);
  errors += CheckOutputPlaces(options.outputs);
  if (options.random) return errors;
  for (const std::string& name : scalars) {
    if (!options.scalars.contains(name)) errors += fmt::format("scalar \"{}\": neither --scalar nor --random\n", name);
  }
  for (const std::string& name : inputs) {
    if (!options.inputs.contains(name)) errors += fmt::format("input \"{}\": neither --input nor --random\n", name);
  }
  return errors;
}

absl::StatusOr<Tensor> ReadInput(const std::string& name, const std::string& path, const TensorSpec& declared,
                                 const std::vector<std::int64_t>& shape) {
  GEMMD_ASSIGN_OR_RETURN(Tensor tensor, ReadTensorFile(path, name, declared.dtype));
  if (tensor.shape != shape) {
    return InvalidArgument("input \"{}\": {} has shape [{}], expected [{}]", name, path, fmt::join(tensor.shape, ", "),
                           fmt::join(shape, ", "));
  }
  return InLayout(std::move(tensor), declared.layout);
}

// Refuses what could only end in a failed allocation, or in the kernel's killing of this process.
absl::Status CheckMemory(const KernelSpec& spec, const RunOptions& options, const GemmShape& shape) {
  const std::int64_t memory_bytes = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  std::int64_t left_bytes = memory_bytes;
  const auto take = [&left_bytes](const std::vector<std::int64_t>& extents, DType dtype) {
    left_bytes -= std::min(left_bytes + 1, ElementCount(extents) * SizeBytes(dtype));  // -1: too many, without overflow
    return left_bytes >= 0;
  };
  bool fits = true;
  for (const auto& [name, tensor] : spec.inputs) {
    GEMMD_ASSIGN_OR_RETURN(const std::vector<std::int64_t> extents, ResolveTensor(spec, tensor, options.dims));
    fits = fits && take(extents, tensor.dtype);
  }
  for (const OutputTensor& output : ResolveOutputs(spec, shape)) fits = fits && take(output.shape, output.dtype);
  if (fits) return absl::OkStatus();
  return ResourceExhausted("the tensors of M = {}, N = {}, K = {} don't fit the {} bytes of this machine's memory",
                           shape.m, shape.n, shape.k, memory_bytes);
}

absl::Status PrepareInput(const RunOptions& options, const std::string& name, const TensorSpec& declared,
                          PreparedRun& run) {
  if (declared.shape.empty()) {
    const auto given = options.scalars.find(name);
    run.scalars[name] = given != options.scalars.end() ? given->second : RandomScalar(options.seed, name);
    return absl::OkStatus();
  }
  GEMMD_ASSIGN_OR_RETURN(std::vector<std::int64_t> shape, ResolveTensor(run.spec, declared, options.dims));
  if (const auto file = options.inputs.find(name); file != options.inputs.end()) {
    GEMMD_ASSIGN_OR_RETURN(run.inputs[name], ReadInput(name, file->second, declared, shape));
    return absl::OkStatus();
  }
  Tensor tensor = MakeTensor(declared.dtype, std::move(shape), declared.layout);
  const bool is_b = name == run.spec.matmul_b && run.shape.k > 0;
  FillRandom(tensor, options.seed, name, is_b ? 1 / std::sqrt(static_cast<double>(run.shape.k)) : 1.0);
  run.inputs[name] = std::move(tensor);
  return absl::OkStatus();
}

}  // namespace

RunCall PreparedRun::Call(const std::string& spec_json, const RunOptions& options) {
  RunCall call{.spec_json = spec_json,
               .device = options.device,
               .dims = options.dims,
               .scalars = scalars,
               .inputs = {},
               .outputs = {}};
  for (const auto& [name, tensor] : inputs) call.inputs[name] = tensor.bytes;
  for (auto& [name, tensor] : outputs) call.outputs[name] = tensor.bytes;
  return call;
}

VerifySubject PreparedRun::Subject() const {
  VerifySubject subject{.inputs = {}, .scalars = scalars, .outputs = {}};
  for (const auto& [name, tensor] : inputs) subject.inputs[name] = tensor.view();
  for (const auto& [name, tensor] : outputs) subject.outputs[name] = tensor.view();
  return subject;
}

absl::StatusOr<PreparedRun> PrepareRun(const KernelSpec& spec, const RunOptions& options) {
  PreparedRun run{.spec = spec, .shape = {}, .scalars = {}, .inputs = {}, .outputs = {}};
  std::string errors = CheckNames(spec, options);
  const absl::StatusOr<GemmShape> shape = ResolveShape(spec, options.dims);
  if (!shape.ok()) errors += fmt::format("{}\n", MessageOf(shape.status()));
  if (!errors.empty()) {
    errors.pop_back();
    return InvalidArgument("{}", errors);
  }
  run.shape = *shape;
  GEMMD_RETURN_IF_ERROR(CheckMemory(spec, options, run.shape));
  for (const auto& [name, declared] : spec.inputs) GEMMD_RETURN_IF_ERROR(PrepareInput(options, name, declared, run));
  for (const OutputTensor& declared : ResolveOutputs(spec, run.shape)) {
    Tensor output = MakeTensor(declared.dtype, declared.shape);
    Poison(output);
    run.outputs[declared.name] = std::move(output);
  }
  return run;
}

}  // namespace gemmd
