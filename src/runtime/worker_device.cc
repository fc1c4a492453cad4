#include "runtime/worker_device.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/request_scope.h"
#include "base/status.h"
#include "runtime/worker_protocol.h"

namespace gemmd {
namespace {

constexpr int kChannelFd = 3;  // in the worker
constexpr int kStagingFd = 4;
constexpr absl::Duration kReapTimeout = absl::Seconds(2);

// The signals that a process brings on itself; others come from outside, and no kernel is to blame for them.
constexpr std::array kOwnSignals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

bool BroughtOnItself(const ProcessEnd& end) {
  return end.signal == 0 || std::find(kOwnSignals.begin(), kOwnSignals.end(), end.signal) != kOwnSignals.end();
}

CallWatch::Clock::time_point Now() { return CallWatch::Clock::now(); }

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerDevice>> WorkerDevice::Spawn(const WorkerOptions& options) {
  const absl::Time deadline = absl::Now() + options.start_timeout;
  GEMMD_ASSIGN_OR_RETURN(StagingArea staging, StagingArea::Create(options.staging_bytes, options.chunk_bytes));
  GEMMD_ASSIGN_OR_RETURN(SocketPair sockets, MakeSocketPair());
  ChildProcess::Options child_options;
  child_options.executable = options.executable;
  child_options.arguments = {"--device",        options.device,
                             "--slots",         fmt::to_string(options.slots),
                             "--staging-bytes", fmt::to_string(staging.bytes()),
                             "--log-level",     std::string(Name(options.log.level)),
                             "--log-format",    std::string(Name(options.log.format))};
  child_options.descriptors = {{sockets.child.get(), kChannelFd}, {staging.fd(), kStagingFd}};
  GEMMD_ASSIGN_OR_RETURN(ChildProcess child, ChildProcess::Spawn(child_options));
  sockets.child.Reset();
  std::unique_ptr<WorkerDevice> device(
      new WorkerDevice(options, std::move(staging), std::move(child), std::move(sockets.parent)));
  GEMMD_RETURN_IF_ERROR(device->Identify(deadline));
  return device;
}

WorkerDevice::WorkerDevice(const WorkerOptions& options, StagingArea staging, ChildProcess child, UniqueFd socket)
    : device_(options.device),
      launch_timeout_(options.launch_timeout),
      staging_(std::move(staging)),
      watch_(std::make_shared<CallWatch>(absl::ToChronoNanoseconds(options.launch_timeout))),
      pid_(child.pid()),
      child_(std::move(child)),
      channel_(std::make_unique<CallChannel>(std::move(socket))) {}

WorkerDevice::~WorkerDevice() = default;

bool WorkerDevice::healthy() const { return !condemned_ && !channel_->broken(); }

absl::Status WorkerDevice::Health() { return healthy() ? absl::OkStatus() : Gone(0); }

DeviceFault WorkerDevice::Fault() {
  const std::lock_guard lock(mutex_);
  if (!fault_) fault_ = Autopsy();
  return *fault_;
}

// Requires the mutex. The channel broke: says what became of the worker.
DeviceFault WorkerDevice::Autopsy() {
  const absl::StatusOr<ProcessEnd> end = child_.Wait(absl::Now() + kReapTimeout);
  if (!end.ok()) {
    child_.Kill(SIGKILL);  // it closed the channel and lives on: of no use
    return {.reason = fmt::format("the worker of {} closed its channel", device_), .suspects = watch_->Running()};
  }
  return {.reason = fmt::format("the worker of {} {}{}", device_, end->signal == 0 ? "" : "was ", Describe(*end)),
          .suspects = BroughtOnItself(*end) ? watch_->Running() : std::vector<std::string>()};
}

// The worker is of no more use: kills it, so that what is in flight fails at once. The first reason stays.
void WorkerDevice::Condemn(DeviceFault fault, std::uint64_t hung_call) {
  {
    const std::lock_guard lock(mutex_);
    condemned_ = true;
    if (!fault_) {
      fault_ = std::move(fault);
      hung_call_ = hung_call;
    }
    child_.Kill(SIGKILL);
  }
  channel_->Break();
}

CallWatch::Clock::time_point WorkerDevice::KillIfHung() {
  const CallWatch::Clock::time_point now = Now();
  const std::optional<CallWatch::Overdue> overdue = watch_->FindOverdue(now);
  if (!overdue || !healthy()) return watch_->NextExpiry(now);
  const std::string limit = absl::FormatDuration(launch_timeout_);
  DeviceFault fault;
  fault.kind = DeviceFault::Kind::kHung;
  if (overdue->kernel != nullptr) {
    fault.reason = fmt::format("the worker of {} was killed: a launch of plan {} did not end within {}", device_,
                               *overdue->kernel, limit);
    fault.suspects = {*overdue->kernel};
  } else {
    fault.reason = fmt::format("the worker of {} was killed: it answered nothing for {}", device_, limit);
    fault.suspects = watch_->Running();
  }
  Condemn(std::move(fault), overdue->kernel != nullptr ? overdue->call : 0);
  return watch_->NextExpiry(now);
}

// What a call says that the worker did not live to answer.
absl::Status WorkerDevice::Gone(std::uint64_t call) {
  const DeviceFault fault = Fault();
  const std::lock_guard lock(mutex_);
  if (call != 0 && call == hung_call_) {
    return Internal("the launch did not end within {} on {}, whose worker was killed",
                    absl::FormatDuration(launch_timeout_), device_);
  }
  return Unavailable("{}", fault.reason);
}

absl::StatusOr<v1::WorkerResponse> WorkerDevice::Call(v1::WorkerRequest request, absl::Time deadline) {
  return Call(std::move(request), deadline, CallOptions());
}

// The watch keeps what is in flight when the worker dies.
absl::StatusOr<v1::WorkerResponse> WorkerDevice::Call(v1::WorkerRequest request, absl::Time deadline,
                                                      CallOptions options) {
  if (!healthy()) return Gone(0);
  request.set_deadline_unix_us(DeadlineToWire(deadline));
  request.set_request_id(RequestScope::Current());
  const std::uint64_t call = watch_->Begin(std::move(options.kernel), Now());
  const auto late = [watch = watch_, channel = channel_.get(), call, then = std::move(options.on_late_answer)] {
    if (!channel->broken()) watch->End(call, Now());
    if (then) then();
  };
  absl::StatusOr<std::string> answer = channel_->Call(request.SerializeAsString(), deadline, late);
  if (absl::IsUnavailable(answer.status())) return Gone(call);
  if (absl::IsDeadlineExceeded(answer.status())) return answer.status();  // the worker still owes an answer
  v1::WorkerResponse response;
  const bool readable = answer.ok() && response.ParseFromString(*answer);
  if (readable && response.device_lost()) {
    Condemn({.kind = DeviceFault::Kind::kLost,
             .reason = fmt::format("the worker of {} lost its device: {}", device_, response.status().message()),
             .suspects = watch_->Running()},
            0);
  }
  watch_->End(call, Now());
  GEMMD_RETURN_IF_ERROR(answer.status());
  if (!readable) return DataLoss("the worker of {} sent an unreadable answer", device_);
  GEMMD_RETURN_IF_ERROR(StatusFromWire(response.status()));
  return response;
}

absl::Status WorkerDevice::Identify(absl::Time deadline) {
  v1::WorkerRequest request;
  request.mutable_identify();
  GEMMD_ASSIGN_OR_RETURN(const v1::WorkerResponse response, Call(std::move(request), deadline));
  GEMMD_ASSIGN_OR_RETURN(info_, DeviceInfoFromWire(response.device()));
  watch_->SetSlots(info_.slots);
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
    return Call(std::move(request), deadline, {.on_late_answer = [chunk] {}}).status();
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
    GEMMD_RETURN_IF_ERROR(Call(std::move(request), deadline, {.on_late_answer = [chunk] {}}).status());
    if (size > 0) std::memcpy(bytes.data() + offset, chunk.bytes().data(), static_cast<std::size_t>(size));
    return absl::OkStatus();
  };
  return TransferInPieces(static_cast<std::int64_t>(bytes.size()), staging_.chunk_bytes(), read_piece);
}

absl::StatusOr<LoadedKernelId> WorkerDevice::Load(const KernelImage& image, absl::Time deadline) {
  v1::WorkerRequest request;
  *request.mutable_load() = ImageToWire(image);
  GEMMD_ASSIGN_OR_RETURN(const v1::WorkerResponse response, Call(std::move(request), deadline));
  const auto id = static_cast<LoadedKernelId>(response.handle().id());
  const std::lock_guard lock(mutex_);
  plans_[id] = std::make_shared<const std::string>(image.manifest.plan_id);
  return id;
}

absl::Status WorkerDevice::Unload(LoadedKernelId kernel, absl::Time deadline) {
  v1::WorkerRequest request;
  request.mutable_unload()->set_kernel(static_cast<std::uint64_t>(kernel));
  {
    const std::lock_guard lock(mutex_);
    plans_.erase(kernel);
  }
  return Call(std::move(request), deadline).status();
}

absl::StatusOr<LaunchResult> WorkerDevice::Launch(const LaunchRequest& launch, absl::Time deadline) {
  CallWatch::Kernel plan;
  {
    const std::lock_guard lock(mutex_);
    const auto found = plans_.find(launch.kernel);
    if (found == plans_.end())
      return NotFound("there is no loaded kernel {}", static_cast<std::uint64_t>(launch.kernel));
    plan = found->second;
  }
  v1::WorkerRequest request;
  *request.mutable_launch() = LaunchToWire(launch);
  GEMMD_ASSIGN_OR_RETURN(const v1::WorkerResponse response,
                         Call(std::move(request), deadline, {.kernel = std::move(plan)}));
  return LaunchResult{response.launched().device_ns()};
}

}  // namespace gemmd
