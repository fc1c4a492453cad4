#include "engine/buffer_launch.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

// The tensors' buffers, held; all on one device.
struct HeldTensors {
  std::vector<std::shared_ptr<const ClientBuffer>> buffers;
  TensorArguments arguments;
};

absl::StatusOr<HeldTensors> Hold(const DeviceBuffers& buffers, const std::map<std::string, BufferArgument>& tensors) {
  HeldTensors held;
  for (const auto& [name, tensor] : tensors) {
    auto found = buffers.Find(tensor.handle);
    if (!found.ok()) return WithContext(found.status(), "tensors." + name);
    const ClientBuffer& buffer = **found;
    if (!held.buffers.empty() && held.buffers.front()->device != buffer.device) {
      return InvalidArgument("tensors.{}: its buffer is on {}, others are on {}", name, buffer.device->info().id,
                             held.buffers.front()->device->info().id);
    }
    held.arguments[name] = {.binding = {.buffer = buffer.memory.id(),
                                        .offset_bytes = tensor.offset_bytes,
                                        .leading_dimension = tensor.leading_dimension},
                            .buffer_bytes = buffer.memory.bytes()};
    held.buffers.push_back(*std::move(found));
  }
  return held;
}

absl::StatusOr<std::shared_ptr<Device>> DeviceOf(const KernelService& kernels, const HeldTensors& held,
                                                 const std::string& id) {
  if (held.buffers.empty()) return kernels.FindDevice(id);
  const std::shared_ptr<Device>& device = held.buffers.front()->device;
  if (!id.empty() && id != device->info().id) {
    return InvalidArgument("device: {}, but the buffers are on {}", Quote(id), device->info().id);
  }
  return device;
}

}  // namespace

absl::StatusOr<BufferLaunchOutcome> LaunchOnBuffers(KernelService& kernels, const DeviceBuffers& buffers,
                                                    const BufferLaunch& request, absl::Time deadline) {
  GEMMD_RETURN_IF_ERROR(ToStatus(Validate(request.spec)));
  GEMMD_ASSIGN_OR_RETURN(const LaunchSignature signature,
                         ResolveSignature(request.spec, Canonicalize(request.spec), request.dims, request.scalars));
  GEMMD_ASSIGN_OR_RETURN(const HeldTensors held, Hold(buffers, request.tensors));
  GEMMD_RETURN_IF_ERROR(BindLaunch(signature, held.arguments).status());
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, DeviceOf(kernels, held, request.device));
  const Assumptions assumptions = AssumptionsOf(signature, held.arguments);
  GEMMD_ASSIGN_OR_RETURN(const CompileOutcome prepared,
                         kernels.Prepare(request.spec, device->info(), assumptions, signature.shape.m, deadline));
  GEMMD_ASSIGN_OR_RETURN(LaunchOutcome launch, kernels.LaunchPrepared(prepared, device, signature, held.arguments,
                                                                      {request.client, deadline}));
  return BufferLaunchOutcome{.launch = std::move(launch), .device = device->info().id};
}

}  // namespace gemmd
