#include "tests/gpu/device_run.h"

#include <cmath>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "base/status.h"
#include "client/tensor/random_tensor.h"
#include "engine/launch_binding.h"
#include "spec/spec_json.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

Placement PlacementOf(const DeviceProblem& problem, const std::string& name) {
  const auto placed = problem.placements.find(name);
  return placed == problem.placements.end() ? Placement{} : placed->second;
}

// One launch, from sending its tensors to what was left of them.
class Launching {
 public:
  Launching(Device& device, const CanonicalSpec& canonical, const DeviceProblem& problem)
      : device_(device), canonical_(canonical), problem_(problem) {}

  // `in_place`: by output, the operand that it lies on.
  absl::Status Run(const CompiledSpec& compiled, LoadedKernelId loaded,
                   const std::map<std::string, std::string>& in_place) {
    GEMMD_ASSIGN_OR_RETURN(const LaunchSignature signature,
                           ResolveSignature(problem_.spec, canonical_, problem_.dims, problem_.scalars));
    for (const SignatureTensor& input : signature.inputs) {
      if (!IsScalar(input)) GEMMD_RETURN_IF_ERROR(Send(input.name, problem_.inputs.at(input.name)));
    }
    for (const SignatureTensor& output : signature.outputs) {
      if (const auto on = in_place.find(output.name); on != in_place.end()) {
        arguments_[output.name] = arguments_.at(on->second);
        place_of_[output.name] = on->second;
        continue;
      }
      Tensor poisoned = MakeTensor(output.dtype, output.extents, output.layout);
      PoisonForDevice(poisoned);
      GEMMD_RETURN_IF_ERROR(Send(output.name, std::move(poisoned)));
      place_of_[output.name] = output.name;
    }
    GEMMD_ASSIGN_OR_RETURN(LaunchRequest request, BindLaunch(signature, arguments_));
    GEMMD_RETURN_IF_ERROR(CheckLaunch(compiled.manifest, canonical_, request, arguments_));
    request.kernel = loaded;
    GEMMD_RETURN_IF_ERROR(device_.Launch(request, absl::InfiniteFuture()).status());
    for (auto& [name, tensor] : tensors_) GEMMD_RETURN_IF_ERROR(tensor.Receive(device_));
    return absl::OkStatus();
  }

  Tensor Output(const std::string& name) const { return tensors_.at(place_of_.at(name)).Received(); }

  // What was written that should not have been, or was not and should have been.
  std::string Damage() const {
    for (const auto& [name, tensor] : tensors_) {
      bool writable = false;
      for (const auto& [output, place] : place_of_) writable = writable || place == name;
      if (const std::string damage = tensor.Damage(writable); !damage.empty()) {
        return fmt::format("{}: {} was overwritten", name, damage);
      }
    }
    for (const auto& [output, place] : place_of_) {
      const std::string unwritten = FirstUnwritten(tensors_.at(place).Received());
      if (!unwritten.empty()) return fmt::format("{}: {} was not written", output, unwritten);
    }
    return "";
  }

 private:
  absl::Status Send(const std::string& name, Tensor tensor) {
    GEMMD_ASSIGN_OR_RETURN(GuardedTensor sent,
                           GuardedTensor::Send(device_, std::move(tensor), PlacementOf(problem_, name)));
    arguments_[name] = sent.argument();
    tensors_.emplace(name, std::move(sent));
    return absl::OkStatus();
  }

  Device& device_;
  const CanonicalSpec& canonical_;
  const DeviceProblem& problem_;
  std::map<std::string, GuardedTensor> tensors_;
  TensorArguments arguments_;
  std::map<std::string, std::string> place_of_;  // by output: the tensor whose buffer it lies in
};

absl::StatusOr<VerifyReport> VerifyOutputs(const DeviceProblem& problem, const std::map<std::string, Tensor>& outputs,
                                           const DeviceRunOptions& options) {
  VerifySubject subject;
  subject.scalars = problem.scalars;
  for (const auto& [name, tensor] : problem.inputs) subject.inputs[name] = tensor.view();
  for (const auto& [name, tensor] : outputs) subject.outputs[name] = tensor.view();
  return Verify(problem.spec, subject, {.rows = options.rows, .seed = options.seed, .threads = options.threads});
}

absl::StatusOr<DeviceRunOutcome> RunLoaded(Device& device, const CompiledSpec& compiled, LoadedKernelId loaded,
                                           const CanonicalSpec& canonical, const DeviceProblem& problem,
                                           const DeviceRunOptions& options) {
  Launching apart(device, canonical, problem);
  GEMMD_RETURN_IF_ERROR(apart.Run(compiled, loaded, {}));
  DeviceRunOutcome outcome;
  outcome.damage = apart.Damage();
  std::map<std::string, Tensor> outputs;
  for (const std::string& name : canonical.bindings.outputs) {
    const Tensor& output = outputs[name] = apart.Output(name);
    outcome.outputs[name] = std::string(reinterpret_cast<const char*>(output.bytes.data()), output.bytes.size());
  }
  GEMMD_ASSIGN_OR_RETURN(outcome.report, VerifyOutputs(problem, outputs, options));
  const bool wrong = !outcome.damage.empty() || !outcome.report.verified;
  if (problem.in_place.empty() || wrong) return outcome;
  Launching in_place(device, canonical, problem);
  GEMMD_RETURN_IF_ERROR(in_place.Run(compiled, loaded, problem.in_place));
  outcome.damage = in_place.Damage();
  for (const auto& [name, output] : outputs) {
    if (!outcome.damage.empty() || in_place.Output(name).bytes == output.bytes) continue;
    outcome.damage = fmt::format("{}: differs where outputs lie in place", name);
  }
  return outcome;
}

}  // namespace

KernelSpec SpecFromText(const std::string& json) {
  absl::StatusOr<KernelSpec> spec = ParseValidSpec(json);
  if (!spec.ok()) {
    std::cerr << spec.status() << "\n" << json << "\n";
    std::abort();
  }
  return *std::move(spec);
}

absl::StatusOr<Tensor> RandomInput(const KernelSpec& spec, const std::string& name, const DimValues& dims,
                                   std::uint64_t seed) {
  const TensorSpec& input = spec.inputs.at(name);
  GEMMD_ASSIGN_OR_RETURN(const std::vector<std::int64_t> shape, ResolveTensor(spec, input, dims));
  Tensor tensor = MakeTensor(input.dtype, shape, input.layout);
  const double scale = name == spec.matmul_b ? 1.0 / std::sqrt(std::max<double>(1, static_cast<double>(shape[0]))) : 1;
  FillRandom(tensor, seed, name, scale);
  return tensor;
}

absl::StatusOr<Assumptions> AssumptionsFor(const DeviceProblem& problem, const CanonicalSpec& canonical) {
  GEMMD_ASSIGN_OR_RETURN(const LaunchSignature signature,
                         ResolveSignature(problem.spec, canonical, problem.dims, problem.scalars));
  TensorArguments arguments;
  const auto add = [&](const SignatureTensor& tensor) {
    arguments[tensor.name] = {BindingOf(tensor.dtype, PlacementOf(problem, tensor.name)), 0};
  };
  for (const SignatureTensor& input : signature.inputs) add(input);
  for (const SignatureTensor& output : signature.outputs) add(output);
  return AssumptionsOf(signature, arguments);
}

absl::StatusOr<DeviceRunOutcome> RunProblem(Device& device, const CompiledSpec& compiled,
                                            const CanonicalSpec& canonical, const DeviceProblem& problem,
                                            const DeviceRunOptions& options) {
  KernelImage image{compiled.manifest, canonical.graph, {}};
  for (const CompiledModule& module : compiled.modules) image.cubins.push_back(module.cubin);
  GEMMD_ASSIGN_OR_RETURN(const LoadedKernelId loaded, device.Load(image, absl::InfiniteFuture()));
  auto outcome = RunLoaded(device, compiled, loaded, canonical, problem, options);
  GEMMD_RETURN_IF_ERROR(outcome.status());
  GEMMD_RETURN_IF_ERROR(device.Unload(loaded, absl::InfiniteFuture()));
  return outcome;
}

absl::StatusOr<DeviceRunOutcome> RunOnDevice(Device& device, const CompiledSpec& compiled, const KernelSpec& spec,
                                             const CanonicalSpec& canonical, const DimValues& dims,
                                             const DeviceRunOptions& options) {
  DeviceProblem problem{.spec = spec, .dims = dims, .inputs = {}, .scalars = {}, .placements = {}, .in_place = {}};
  for (const auto& [name, input] : spec.inputs) {
    if (input.shape.empty()) {
      problem.scalars[name] = RandomScalar(options.seed, name);
      continue;
    }
    GEMMD_ASSIGN_OR_RETURN(problem.inputs[name], RandomInput(spec, name, dims, options.seed));
  }
  return RunProblem(device, compiled, canonical, problem, options);
}

}  // namespace gemmd
