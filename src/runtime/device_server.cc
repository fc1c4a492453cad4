#include "runtime/device_server.h"

#include <utility>

#include "absl/time/clock.h"
#include "base/request_scope.h"
#include "base/status.h"
#include "base/worker_log.h"
#include "runtime/host_memory.h"
#include "runtime/worker_protocol.h"

namespace gemmd {
namespace {

absl::StatusOr<std::span<std::byte>> StagingOf(std::span<std::byte> staging, const v1::WorkerRequest::Copy& copy) {
  if (copy.bytes() < 0) return InvalidArgument("a copy of {} bytes", copy.bytes());
  const auto bytes = static_cast<std::size_t>(copy.bytes());
  GEMMD_RETURN_IF_ERROR(CheckRange(copy.staging_offset(), bytes, static_cast<std::int64_t>(staging.size())));
  return staging.subspan(static_cast<std::size_t>(copy.staging_offset()), bytes);
}

absl::Status Copy(Device& device, const v1::WorkerRequest& request, std::span<std::byte> staging, absl::Time deadline) {
  const bool is_write = request.kind_case() == v1::WorkerRequest::kWrite;
  const v1::WorkerRequest::Copy& copy = is_write ? request.write() : request.read();
  GEMMD_ASSIGN_OR_RETURN(const std::span<std::byte> bytes, StagingOf(staging, copy));
  const auto buffer = static_cast<BufferId>(copy.buffer());
  return is_write ? device.Write(buffer, copy.offset_bytes(), bytes, deadline)
                  : device.Read(buffer, copy.offset_bytes(), bytes, deadline);
}

absl::Status Load(Device& device, const v1::WorkerRequest::Load& load, absl::Time deadline,
                  v1::WorkerResponse* response) {
  GEMMD_ASSIGN_OR_RETURN(const KernelImage image, ImageFromWire(load));
  GEMMD_ASSIGN_OR_RETURN(const LoadedKernelId id, device.Load(image, deadline));
  response->mutable_handle()->set_id(static_cast<std::uint64_t>(id));
  return absl::OkStatus();
}

absl::Status Launch(Device& device, const v1::WorkerRequest::Launch& launch, absl::Time deadline,
                    v1::WorkerResponse* response) {
  GEMMD_ASSIGN_OR_RETURN(const LaunchResult result, device.Launch(LaunchFromWire(launch), deadline));
  response->mutable_launched()->set_device_ns(result.device_ns);
  return absl::OkStatus();
}

absl::Status Allocate(Device& device, std::int64_t bytes, absl::Time deadline, v1::WorkerResponse* response) {
  GEMMD_ASSIGN_OR_RETURN(const BufferId id, device.Allocate(bytes, deadline));
  response->mutable_handle()->set_id(static_cast<std::uint64_t>(id));
  return absl::OkStatus();
}

absl::Status Dispatch(Device& device, const v1::WorkerRequest& request, std::span<std::byte> staging,
                      v1::WorkerResponse* response) {
  const absl::Time deadline = DeadlineFromWire(request.deadline_unix_us());
  switch (request.kind_case()) {
    case v1::WorkerRequest::kIdentify:
      *response->mutable_device() = DeviceInfoToWire(device.info());
      return absl::OkStatus();
    case v1::WorkerRequest::kAllocate:
      return Allocate(device, request.allocate().bytes(), deadline, response);
    case v1::WorkerRequest::kFree:
      return device.Free(static_cast<BufferId>(request.free().buffer()), deadline);
    case v1::WorkerRequest::kWrite:
    case v1::WorkerRequest::kRead:
      return Copy(device, request, staging, deadline);
    case v1::WorkerRequest::kLoad:
      return Load(device, request.load(), deadline, response);
    case v1::WorkerRequest::kUnload:
      return device.Unload(static_cast<LoadedKernelId>(request.unload().kernel()), deadline);
    case v1::WorkerRequest::kLaunch:
      return Launch(device, request.launch(), deadline, response);
    case v1::WorkerRequest::kCompile:
    case v1::WorkerRequest::KIND_NOT_SET:
      break;
  }
  return Unimplemented("a device worker does not take request {}", static_cast<int>(request.kind_case()));
}

}  // namespace

DeviceServer::DeviceServer(absl::StatusOr<Device*> device, std::span<std::byte> staging, std::function<bool()> lost)
    : device_(std::move(device)), staging_(staging), lost_(std::move(lost)) {}

std::string DeviceServer::Answer(const std::string& request) const {
  v1::WorkerRequest parsed;
  v1::WorkerResponse response;
  absl::Status status = device_.status();
  const absl::Time began = absl::Now();
  if (status.ok() && !parsed.ParseFromString(request)) status = DataLoss("a request that does not parse");
  const RequestScope scope(parsed.request_id());
  if (status.ok()) status = Dispatch(**device_, parsed, staging_, &response);
  LogWorkerCall(KindName(parsed), status, absl::Now() - began);
  if (!status.ok()) *response.mutable_status() = StatusToWire(status);
  response.set_device_lost(lost_());
  return response.SerializeAsString();
}

}  // namespace gemmd
