#include "runtime/worker_device.h"

#include <signal.h>

#include <cstring>
#include <utility>

#include "base/status.h"
#include "runtime/worker_protocol.h"

namespace gemmd {
namespace {

constexpr int kChannelFd = 3;  // in the worker
constexpr int kStagingFd = 4;
constexpr absl::Duration kReapTimeout = absl::Seconds(2);

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerDevice>> WorkerDevice::Spawn(const WorkerOptions& options) {
  const absl::Time deadline = absl::Now() + options.start_timeout;
  GEMMD_ASSIGN_OR_RETURN(StagingArea staging, StagingArea::Create(options.staging_bytes, options.chunk_bytes));
  GEMMD_ASSIGN_OR_RETURN(SocketPair sockets, MakeSocketPair());
  ChildProcess::Options child_options;
  child_options.executable = options.executable;
  child_options.arguments = {"--device",        options.device,
                             "--slots",         fmt::to_string(options.slots),
                             "--staging-bytes", fmt::to_string(staging.bytes())};
  child_options.descriptors = {{sockets.child.get(), kChannelFd}, {staging.fd(), kStagingFd}};
  GEMMD_ASSIGN_OR_RETURN(ChildProcess child, ChildProcess::Spawn(child_options));
  sockets.child.Reset();
  std::unique_ptr<WorkerDevice> device(
      new WorkerDevice(options.device, std::move(staging), std::move(child), std::move(sockets.parent)));
  GEMMD_RETURN_IF_ERROR(device->Identify(deadline));
  return device;
}

WorkerDevice::WorkerDevice(std::string device, StagingArea staging, ChildProcess child, UniqueFd socket)
    : device_(std::move(device)),
      staging_(std::move(staging)),
      pid_(child.pid()),
      child_(std::move(child)),
      channel_(std::make_unique<CallChannel>(std::move(socket))) {}

WorkerDevice::~WorkerDevice() = default;

bool WorkerDevice::healthy() const { return !device_lost_ && !channel_->broken(); }

std::string WorkerDevice::Fault() {
  if (channel_->broken()) return std::string(MessageOf(Gone()));
  return fmt::format("the worker of {} lost its device", device_);
}

// The channel broke: says what became of the worker.
absl::Status WorkerDevice::Gone() {
  const std::lock_guard lock(mutex_);
  if (end_.empty()) {
    absl::StatusOr<std::string> end = child_.Wait(absl::Now() + kReapTimeout);
    if (!end.ok()) child_.Kill(SIGKILL);  // it closed the channel and lives on: of no use
    end_ = end.ok() ? (end->rfind("killed", 0) == 0 ? "was " + *end : *end) : "closed its channel";
  }
  return Unavailable("the worker of {} {}", device_, end_);
}

absl::StatusOr<v1::WorkerResponse> WorkerDevice::Call(v1::WorkerRequest request, absl::Time deadline,
                                                      std::function<void()> on_late_answer) {
  request.set_deadline_unix_us(DeadlineToWire(deadline));
  absl::StatusOr<std::string> answer = channel_->Call(request.SerializeAsString(), deadline, std::move(on_late_answer));
  if (absl::IsUnavailable(answer.status())) return Gone();
  GEMMD_RETURN_IF_ERROR(answer.status());
  v1::WorkerResponse response;
  if (!response.ParseFromString(*answer)) return DataLoss("the worker of {} sent an unreadable answer", device_);
  if (response.device_lost()) device_lost_ = true;
  GEMMD_RETURN_IF_ERROR(StatusFromWire(response.status()));
  return response;
}

absl::Status WorkerDevice::Identify(absl::Time deadline) {
  v1::WorkerRequest request;
  request.mutable_identify();
  GEMMD_ASSIGN_OR_RETURN(const v1::WorkerResponse response, Call(std::move(request), deadline));
  GEMMD_ASSIGN_OR_RETURN(info_, DeviceInfoFromWire(response.device()));
  return absl::OkStatus();
}

absl::StatusOr<BufferId> WorkerDevice::Allocate(std::int64_t bytes, absl::Time deadline) {
  v1::WorkerRequest request;
  request.mutable_allocate()->set_bytes(bytes);
  GEMMD_ASSIGN_OR_RETURN(const v1::WorkerResponse response, Call(std::move(request), deadline));
  return static_cast<BufferId>(response.handle().id());
}

absl::Status WorkerDevice::Free(BufferId buffer, absl::Time deadline) {
  v1::WorkerRequest request;
  request.mutable_free()->set_buffer(static_cast<std::uint64_t>(buffer));
  return Call(std::move(request), deadline).status();
}

absl::Status WorkerDevice::Write(BufferId buffer, std::int64_t offset_bytes, std::span<const std::byte> bytes,
                                 absl::Time deadline) {
  const auto write_piece = [&](std::int64_t offset, std::int64_t size) {
    GEMMD_ASSIGN_OR_RETURN(const StagingArea::Chunk chunk, staging_.Acquire(deadline));
    if (size > 0) std::memcpy(chunk.bytes().data(), bytes.data() + offset, static_cast<std::size_t>(size));
    v1::WorkerRequest request;
    v1::WorkerRequest::Copy* copy = request.mutable_write();
    copy->set_buffer(static_cast<std::uint64_t>(buffer));
    copy->set_offset_bytes(offset_bytes + offset);
    copy->set_staging_offset(chunk.offset());
    copy->set_bytes(size);
    return Call(std::move(request), deadline, [chunk] {}).status();
  };
  return TransferInPieces(static_cast<std::int64_t>(bytes.size()), staging_.chunk_bytes(), write_piece);
}

absl::Status WorkerDevice::Read(BufferId buffer, std::int64_t offset_bytes, std::span<std::byte> bytes,
                                absl::Time deadline) {
  const auto read_piece = [&](std::int64_t offset, std::int64_t size) {
    GEMMD_ASSIGN_OR_RETURN(const StagingArea::Chunk chunk, staging_.Acquire(deadline));
    v1::WorkerRequest request;
    v1::WorkerRequest::Copy* copy = request.mutable_read();
    copy->set_buffer(static_cast<std::uint64_t>(buffer));
    copy->set_offset_bytes(offset_bytes + offset);
    copy->set_staging_offset(chunk.offset());
    copy->set_bytes(size);
    GEMMD_RETURN_IF_ERROR(Call(std::move(request), deadline, [chunk] {}).status());
    if (size > 0) std::memcpy(bytes.data() + offset, chunk.bytes().data(), static_cast<std::size_t>(size));
    return absl::OkStatus();
  };
  return TransferInPieces(static_cast<std::int64_t>(bytes.size()), staging_.chunk_bytes(), read_piece);
}

absl::StatusOr<LoadedKernelId> WorkerDevice::Load(const KernelImage& image, absl::Time deadline) {
  v1::WorkerRequest request;
  *request.mutable_load() = ImageToWire(image);
  GEMMD_ASSIGN_OR_RETURN(const v1::WorkerResponse response, Call(std::move(request), deadline));
  return static_cast<LoadedKernelId>(response.handle().id());
}

absl::Status WorkerDevice::Unload(LoadedKernelId kernel, absl::Time deadline) {
  v1::WorkerRequest request;
  request.mutable_unload()->set_kernel(static_cast<std::uint64_t>(kernel));
  return Call(std::move(request), deadline).status();
}

absl::StatusOr<LaunchResult> WorkerDevice::Launch(const LaunchRequest& launch, absl::Time deadline) {
  v1::WorkerRequest request;
  *request.mutable_launch() = LaunchToWire(launch);
  GEMMD_ASSIGN_OR_RETURN(const v1::WorkerResponse response, Call(std::move(request), deadline));
  return LaunchResult{response.launched().device_ns()};
}

}  // namespace gemmd
