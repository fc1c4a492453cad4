#include "runtime/worker_protocol.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace gemmd {
namespace {

void BindingToWire(const TensorBinding& binding, v1::WorkerTensor* wire) {
  wire->set_buffer(static_cast<std::uint64_t>(binding.buffer));
  wire->set_offset_bytes(binding.offset_bytes);
  wire->set_leading_dimension(binding.leading_dimension);
}

TensorBinding BindingFromWire(const v1::WorkerTensor& wire) {
  return {static_cast<BufferId>(wire.buffer()), wire.offset_bytes(), wire.leading_dimension()};
}

}  // namespace

v1::WorkerStatus StatusToWire(const absl::Status& status) {
  v1::WorkerStatus wire;
  wire.set_code(static_cast<int>(status.code()));
  wire.set_message(std::string(MessageOf(status)));
  return wire;
}

absl::Status StatusFromWire(const v1::WorkerStatus& wire) {
  const bool known = wire.code() >= 0 && wire.code() <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  return {known ? static_cast<absl::StatusCode>(wire.code()) : absl::StatusCode::kUnknown, wire.message()};
}

v1::WorkerResponse::Device DeviceInfoToWire(const DeviceInfo& info) {
  v1::WorkerResponse::Device wire;
  wire.set_device_id(info.id);
  wire.set_kind(info.kind == DeviceKind::kCuda ? "cuda" : "host");
  wire.set_name(info.name);
  wire.set_driver(info.driver);
  if (info.kind == DeviceKind::kCuda) wire.set_arch(Name(info.limits.arch));
  wire.set_sm_count(info.limits.sm_count);
  wire.set_shared_bytes_per_block(info.limits.shared_bytes_per_block);
  wire.set_shared_bytes_per_sm(info.limits.shared_bytes_per_sm);
  wire.set_registers_per_sm(info.limits.registers_per_sm);
  wire.set_l2_bytes(info.limits.l2_bytes);
  wire.set_memory_bytes(info.memory_bytes);
  wire.set_slots(info.slots);
  return wire;
}

absl::StatusOr<DeviceInfo> DeviceInfoFromWire(const v1::WorkerResponse::Device& wire) {
  DeviceInfo info;
  info.id = wire.device_id();
  if (wire.kind() != "cuda" && wire.kind() != "host") {
    return DataLoss("a worker's device is a \"{}\", expected \"cuda\" or \"host\"", wire.kind());
  }
  info.kind = wire.kind() == "cuda" ? DeviceKind::kCuda : DeviceKind::kHost;
  info.name = wire.name();
  info.driver = wire.driver();
  if (info.kind == DeviceKind::kCuda) {
    const std::optional<Arch> arch = ArchFromName(wire.arch());
    if (!arch.has_value()) return DataLoss("a worker's device has the arch \"{}\"", wire.arch());
    info.limits.arch = *arch;
  }
  info.limits.sm_count = wire.sm_count();
  info.limits.shared_bytes_per_block = wire.shared_bytes_per_block();
  info.limits.shared_bytes_per_sm = wire.shared_bytes_per_sm();
  info.limits.registers_per_sm = wire.registers_per_sm();
  info.limits.l2_bytes = wire.l2_bytes();
  info.memory_bytes = wire.memory_bytes();
  info.slots = wire.slots();
  return info;
}

v1::WorkerRequest::Load ImageToWire(const KernelImage& image) {
  v1::WorkerRequest::Load wire;
  wire.set_manifest(ManifestToJson(image.manifest));
  wire.set_graph(GraphToJson(image.graph));
  for (const auto& cubin : image.cubins) wire.add_cubins(*cubin);
  return wire;
}

absl::StatusOr<KernelImage> ImageFromWire(const v1::WorkerRequest::Load& wire) {
  KernelImage image;
  GEMMD_ASSIGN_OR_RETURN(image.manifest, ManifestFromJson(wire.manifest()));
  GEMMD_ASSIGN_OR_RETURN(image.graph, GraphFromJson(wire.graph()));
  for (const std::string& cubin : wire.cubins()) image.cubins.push_back(std::make_shared<const std::string>(cubin));
  return image;
}

v1::WorkerRequest::Launch LaunchToWire(const LaunchRequest& request) {
  v1::WorkerRequest::Launch wire;
  wire.set_kernel(static_cast<std::uint64_t>(request.kernel));
  wire.set_m(request.shape.m);
  wire.set_n(request.shape.n);
  wire.set_k(request.shape.k);
  for (const TensorBinding& binding : request.inputs) BindingToWire(binding, wire.add_inputs());
  for (const TensorBinding& binding : request.outputs) BindingToWire(binding, wire.add_outputs());
  wire.mutable_scalars()->Assign(request.scalars.begin(), request.scalars.end());
  wire.set_flush(static_cast<std::uint64_t>(request.flush));
  return wire;
}

LaunchRequest LaunchFromWire(const v1::WorkerRequest::Launch& wire) {
  LaunchRequest request;
  request.kernel = static_cast<LoadedKernelId>(wire.kernel());
  request.shape = {wire.m(), wire.n(), wire.k()};
  for (const v1::WorkerTensor& tensor : wire.inputs()) request.inputs.push_back(BindingFromWire(tensor));
  for (const v1::WorkerTensor& tensor : wire.outputs()) request.outputs.push_back(BindingFromWire(tensor));
  request.scalars.assign(wire.scalars().begin(), wire.scalars().end());
  request.flush = static_cast<BufferId>(wire.flush());
  return request;
}

std::string KindName(const v1::WorkerRequest& request) {
  const auto* field = request.GetDescriptor()->FindFieldByNumber(request.kind_case());
  return field == nullptr ? "" : field->name();
}

std::int64_t DeadlineToWire(absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return 0;
  return std::max<std::int64_t>(absl::ToUnixMicros(deadline), 1);
}

absl::Time DeadlineFromWire(std::int64_t unix_us) {
  return unix_us == 0 ? absl::InfiniteFuture() : absl::FromUnixMicros(unix_us);
}

}  // namespace gemmd
