#include "engine/streamed_run.h"

#include <utility>

#include "base/status.h"
#include "spec/diagnostic.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

std::string UnknownInput(std::string_view name, const LaunchSignature& signature) {
  std::vector<std::string> names;
  for (const SignatureTensor& input : signature.inputs) {
    if (input.name == name) return fmt::format("inputs.{}: a scalar is given by value, in the header", name);
    if (!IsScalar(input)) names.push_back(input.name);
  }
  const std::string nearest = Nearest(name, names);
  return fmt::format("inputs.{}: not an input of the spec{}", name,
                     nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest));
}

// Every tensor at the start of a buffer, without gaps.
TensorArguments WholeBuffers(const LaunchSignature& signature) {
  TensorArguments arguments;
  for (const SignatureTensor& input : signature.inputs) arguments[input.name] = {};
  for (const SignatureTensor& output : signature.outputs) arguments[output.name] = {};
  return arguments;
}

}  // namespace

absl::StatusOr<StreamedRun> StreamedRun::Start(KernelService* service, const RunRequest& request, absl::Time deadline) {
  StreamedRun run(service, {request.client, deadline});
  GEMMD_ASSIGN_OR_RETURN(run.device_, service->FindDevice(request.device));
  GEMMD_RETURN_IF_ERROR(ToStatus(Validate(request.spec)));
  GEMMD_ASSIGN_OR_RETURN(run.signature_,
                         ResolveSignature(request.spec, Canonicalize(request.spec), request.dims, request.scalars));
  const Assumptions assumptions = AssumptionsOf(run.signature_, WholeBuffers(run.signature_));
  GEMMD_ASSIGN_OR_RETURN(
      run.compile_, service->Prepare(request.spec, run.device_->info(), assumptions, run.signature_.shape.m, deadline));
  GEMMD_RETURN_IF_ERROR(service->CheckAdmission(run.compile_, run.device_->info()));  // before the inputs come
  GEMMD_RETURN_IF_ERROR(run.AllocateTensors());
  return run;
}

absl::Status StreamedRun::AllocateTensors() {
  for (const SignatureTensor& input : signature_.inputs) {
    if (IsScalar(input) || tensors_.contains(input.name)) continue;
    GEMMD_ASSIGN_OR_RETURN(ScopedBuffer buffer, ScopedBuffer::Allocate(device_, input.bytes, deadline_));
    tensors_.emplace(input.name, Tensor{.buffer = std::move(buffer), .wanted_bytes = input.bytes});
  }
  for (const SignatureTensor& output : signature_.outputs) {
    GEMMD_ASSIGN_OR_RETURN(ScopedBuffer buffer, ScopedBuffer::Allocate(device_, output.bytes, deadline_));
    tensors_.emplace(output.name, Tensor{.buffer = std::move(buffer)});
  }
  return absl::OkStatus();
}

absl::Status StreamedRun::TakeInput(std::string_view name, std::int64_t offset_bytes,
                                    std::span<const std::byte> bytes) {
  const auto is_output = [&](const SignatureTensor& output) { return output.name == name; };
  const auto found = tensors_.find(name);
  if (found == tensors_.end() || std::any_of(outputs().begin(), outputs().end(), is_output)) {
    return absl::Status(absl::StatusCode::kInvalidArgument, UnknownInput(name, signature_));
  }
  Tensor& tensor = found->second;
  if (offset_bytes != tensor.received_bytes) {
    return InvalidArgument("inputs.{}: a chunk at offset {}, expected {} ({})", name, offset_bytes,
                           tensor.received_bytes,
                           offset_bytes < tensor.received_bytes ? "these bytes came already" : "a gap");
  }
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (size > tensor.wanted_bytes - tensor.received_bytes) {
    return InvalidArgument("inputs.{}: more than its {} bytes", name, tensor.wanted_bytes);
  }
  GEMMD_RETURN_IF_ERROR(device_->Write(tensor.buffer.id(), offset_bytes, bytes, deadline_));
  tensor.received_bytes += size;
  return absl::OkStatus();
}

absl::StatusOr<LaunchOutcome> StreamedRun::Launch() {
  TensorArguments arguments;
  for (const auto& [name, tensor] : tensors_) {
    if (tensor.received_bytes != tensor.wanted_bytes) {
      return InvalidArgument("inputs.{}: {}; {} of {} bytes came", name,
                             tensor.received_bytes == 0 ? "missing" : "incomplete", tensor.received_bytes,
                             tensor.wanted_bytes);
    }
    arguments[name] = {.binding = {.buffer = tensor.buffer.id()}, .buffer_bytes = tensor.buffer.bytes()};
  }
  return service_->LaunchPrepared(compile_, device_, signature_, arguments, caller_);
}

absl::Status StreamedRun::ReadOutput(std::size_t index, std::int64_t offset_bytes, std::span<std::byte> bytes) {
  const Tensor& tensor = tensors_.find(signature_.outputs[index].name)->second;
  return device_->Read(tensor.buffer.id(), offset_bytes, bytes, deadline_);
}

}  // namespace gemmd
