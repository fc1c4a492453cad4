#include "tests/gpu/device_run.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <vector>

#include "base/status.h"
#include "client/tensor/random_tensor.h"
#include "client/tensor/tensor.h"
#include "spec/spec_json.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

constexpr std::int64_t kRedZoneBytes = 512;
constexpr std::byte kRedZone{0xA5};

// A tensor between two red zones in a device buffer of its own.
struct Guarded {
  Tensor tensor;
  std::vector<std::byte> image;  // of the whole buffer, as it was written
  BufferId buffer{};
};

absl::Status Place(Device& device, Guarded& guarded) {
  const auto bytes = static_cast<std::int64_t>(guarded.tensor.bytes.size());
  guarded.image.assign(static_cast<std::size_t>(bytes + 2 * kRedZoneBytes), kRedZone);
  std::memcpy(guarded.image.data() + kRedZoneBytes, guarded.tensor.bytes.data(), guarded.tensor.bytes.size());
  const auto size = static_cast<std::int64_t>(guarded.image.size());
  GEMMD_ASSIGN_OR_RETURN(guarded.buffer, device.Allocate(size, absl::InfiniteFuture()));
  return device.Write(guarded.buffer, 0, guarded.image, absl::InfiniteFuture());
}

// Reads the buffer back into `tensor`; returns what was damaged around it, or in it where `writable` is false.
absl::StatusOr<std::string> Fetch(Device& device, const std::string& name, bool writable, Guarded& guarded) {
  std::vector<std::byte> now(guarded.image.size());
  GEMMD_RETURN_IF_ERROR(device.Read(guarded.buffer, 0, now, absl::InfiniteFuture()));
  GEMMD_RETURN_IF_ERROR(device.Free(guarded.buffer, absl::InfiniteFuture()));
  const std::size_t begin = kRedZoneBytes, end = now.size() - kRedZoneBytes;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (writable && i >= begin && i < end) continue;
    if (now[i] != guarded.image[i]) {
      return fmt::format("{}: byte {} of {}", name, static_cast<std::int64_t>(i) - kRedZoneBytes, end - begin);
    }
  }
  std::memcpy(guarded.tensor.bytes.data(), now.data() + begin, guarded.tensor.bytes.size());
  return std::string();
}

absl::StatusOr<Tensor> RandomInput(const KernelSpec& spec, const std::string& name,
                                   const std::map<std::string, std::int64_t>& dims, std::uint64_t seed) {
  const TensorSpec& input = spec.inputs.at(name);
  GEMMD_ASSIGN_OR_RETURN(const std::vector<std::int64_t> shape, ResolveTensor(spec, input, dims));
  Tensor tensor = MakeTensor(input.dtype, shape, input.layout);
  const double scale = name == spec.matmul_b ? 1.0 / std::sqrt(std::max<double>(1, static_cast<double>(shape[0]))) : 1;
  FillRandom(tensor, seed, name, scale);
  return tensor;
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

absl::StatusOr<DeviceRunOutcome> RunOnDevice(Device& device, const CompiledKernel& kernel, const KernelSpec& spec,
                                             const CanonicalSpec& canonical,
                                             const std::map<std::string, std::int64_t>& dims,
                                             const DeviceRunOptions& options) {
  GEMMD_ASSIGN_OR_RETURN(const GemmShape shape, ResolveShape(spec, dims));
  std::vector<Guarded> inputs(canonical.graph.inputs.size()), outputs(canonical.graph.outputs.size());
  LaunchRequest request;
  request.shape = shape;
  request.scalars.resize(inputs.size());
  VerifySubject subject;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = canonical.bindings.inputs[i];
    TensorBinding& binding = request.inputs.emplace_back();
    if (canonical.graph.inputs[i].axes.empty()) {
      request.scalars[i] = RandomScalar(options.seed, name);
      subject.scalars[name] = request.scalars[i];
      continue;
    }
    GEMMD_ASSIGN_OR_RETURN(inputs[i].tensor, RandomInput(spec, name, dims, options.seed));
    GEMMD_RETURN_IF_ERROR(Place(device, inputs[i]));
    binding = {inputs[i].buffer, kRedZoneBytes, 0};
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].tensor = MakeTensor(canonical.graph.outputs[i].dtype, {shape.m, shape.n});
    Poison(outputs[i].tensor);
    GEMMD_RETURN_IF_ERROR(Place(device, outputs[i]));
    request.outputs.push_back({outputs[i].buffer, kRedZoneBytes, 0});
  }

  const KernelImage image{kernel.manifest, canonical.graph, {kernel.cubin}};
  GEMMD_ASSIGN_OR_RETURN(request.kernel, device.Load(image, absl::InfiniteFuture()));
  const absl::StatusOr<LaunchResult> launched = device.Launch(request, absl::InfiniteFuture());
  GEMMD_RETURN_IF_ERROR(launched.status());
  GEMMD_RETURN_IF_ERROR(device.Unload(request.kernel, absl::InfiniteFuture()));

  DeviceRunOutcome outcome;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].image.empty()) continue;
    const std::string& name = canonical.bindings.inputs[i];
    GEMMD_ASSIGN_OR_RETURN(const std::string damage, Fetch(device, name, false, inputs[i]));
    if (!damage.empty()) outcome.damage = damage;
    subject.inputs[name] = inputs[i].tensor.view();
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = canonical.bindings.outputs[i];
    GEMMD_ASSIGN_OR_RETURN(const std::string damage, Fetch(device, name, true, outputs[i]));
    if (!damage.empty()) outcome.damage = damage;
    subject.outputs[name] = outputs[i].tensor.view();
    const auto* bytes = reinterpret_cast<const char*>(outputs[i].tensor.bytes.data());
    outcome.outputs[name] = std::string(bytes, outputs[i].tensor.bytes.size());
  }
  GEMMD_ASSIGN_OR_RETURN(outcome.report, Verify(spec, subject, {.rows = options.rows, .seed = options.seed}));
  return outcome;
}

}  // namespace gemmd
