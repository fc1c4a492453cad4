#include "runtime/cuda_device.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "base/status.h"
#include "cuda/device_query.h"
#include "runtime/bound_tensors.h"
#include "runtime/host_memory.h"
#include "runtime/launch_plan.h"

namespace gemmd {
namespace {

// Below this a launch is awaited without sleeping: most kernels are shorter than a timer's wake-up.
constexpr absl::Duration kSpin = absl::Microseconds(300);

// False when the deadline passed first. Errors: what the stream's work failed with.
absl::StatusOr<bool> WaitFor(const Event& event, absl::Time deadline) {
  const absl::Time start = absl::Now();
  for (;;) {
    GEMMD_ASSIGN_OR_RETURN(const bool done, IsDone(event));
    if (done) return true;
    const absl::Time now = absl::Now();
    if (now >= deadline) return false;
    // Later, sleep for a twentieth of what it took so far: the answer comes at most 5% late.
    if (now - start > kSpin) std::this_thread::sleep_for(absl::ToChronoNanoseconds((now - start) / 20));
  }
}

}  // namespace

struct CudaDevice::Buffer {
  DeviceMemory memory;
  std::int64_t bytes = 0;
};

absl::StatusOr<std::unique_ptr<CudaDevice>> CudaDevice::Create(const Driver& driver, int ordinal, int slots,
                                                               PastDeadline past_deadline) {
  GEMMD_ASSIGN_OR_RETURN(GpuProperties properties, QueryGpu(driver, ordinal));
  GEMMD_ASSIGN_OR_RETURN(PrimaryContext context, PrimaryContext::Retain(driver, ordinal));
  GEMMD_RETURN_IF_ERROR(context.MakeCurrent());
  DeviceInfo info;
  info.id = fmt::format("cuda:{}", ordinal);
  info.kind = DeviceKind::kCuda;
  info.name = properties.name;
  info.driver = properties.version;
  info.limits = properties.limits;
  info.memory_bytes = properties.memory_bytes;
  info.slots = slots;
  GEMMD_ASSIGN_OR_RETURN(StreamPool streams, StreamPool::Create(driver, slots, info.id));
  return std::unique_ptr<CudaDevice>(
      new CudaDevice(driver, std::move(context), std::move(streams), std::move(info), past_deadline));
}

CudaDevice::CudaDevice(Driver driver, PrimaryContext context, StreamPool streams, DeviceInfo info,
                       PastDeadline past_deadline)
    : driver_(std::move(driver)),
      context_(std::move(context)),
      info_(std::move(info)),
      past_deadline_(past_deadline),
      streams_(std::move(streams)),
      buffers_("buffer"),
      kernels_("loaded kernel"),
      abandoned_(&context_) {}

CudaDevice::~CudaDevice() {
  // The members' handles are released on this thread.
  context_.MakeCurrent().IgnoreError();
}

bool CudaDevice::lost() const {
  const std::lock_guard lock(mutex_);
  return !lost_to_.ok();
}

// At the start of every call.
absl::Status CudaDevice::Enter() const {
  {
    const std::lock_guard lock(mutex_);
    if (!lost_to_.ok()) return Unavailable("the context of {} was lost to: {}", info_.id, MessageOf(lost_to_));
  }
  return context_.MakeCurrent();
}

// At the end of every call that may have met an error of the driver.
absl::Status CudaDevice::Observe(absl::Status status) {
  if (IsContextFatal(status)) {
    const std::lock_guard lock(mutex_);
    if (lost_to_.ok()) lost_to_ = status;
  }
  return status;
}

absl::StatusOr<PinnedRegistration> CudaDevice::Pin(std::span<std::byte> memory) {
  GEMMD_RETURN_IF_ERROR(Enter());
  return PinHostMemory(driver_, memory);
}

absl::StatusOr<std::shared_ptr<CudaDevice::Buffer>> CudaDevice::MakeBuffer(std::int64_t bytes, absl::Time deadline) {
  const std::int64_t allocated_bytes = std::max<std::int64_t>(bytes, 1);
  GEMMD_ASSIGN_OR_RETURN(const StreamPool::Lease lease, streams_.Acquire(deadline));
  GEMMD_ASSIGN_OR_RETURN(DeviceMemory memory, AllocateDeviceMemory(driver_, allocated_bytes));
  GEMMD_RETURN_IF_ERROR(FillWithZeros(lease->stream, memory.get(), allocated_bytes));
  GEMMD_RETURN_IF_ERROR(Synchronize(lease->stream));
  return std::make_shared<Buffer>(Buffer{std::move(memory), bytes});
}

absl::StatusOr<BufferId> CudaDevice::Allocate(std::int64_t bytes, absl::Time deadline) {
  if (bytes < 0) return InvalidArgument("a buffer of {} bytes", bytes);
  GEMMD_RETURN_IF_ERROR(Enter());
  absl::StatusOr<std::shared_ptr<Buffer>> buffer = MakeBuffer(bytes, deadline);
  if (!buffer.ok()) return Observe(buffer.status());
  return buffers_.Insert(*std::move(buffer));
}

absl::Status CudaDevice::Free(BufferId buffer, absl::Time) {
  GEMMD_RETURN_IF_ERROR(Enter());
  return buffers_.Remove(buffer).status();
}

absl::Status CudaDevice::Write(BufferId buffer, std::int64_t offset_bytes, std::span<const std::byte> bytes,
                               absl::Time deadline) {
  GEMMD_RETURN_IF_ERROR(Enter());
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Buffer> target, buffers_.Find(buffer));
  GEMMD_RETURN_IF_ERROR(CheckRange(offset_bytes, bytes.size(), target->bytes));
  if (bytes.empty()) return absl::OkStatus();
  GEMMD_ASSIGN_OR_RETURN(const StreamPool::Lease lease, streams_.Acquire(deadline));
  const auto address = target->memory.get() + static_cast<CUdeviceptr>(offset_bytes);
  GEMMD_RETURN_IF_ERROR(Observe(CopyToDevice(lease->stream, address, bytes)));
  return Observe(Synchronize(lease->stream));
}

absl::Status CudaDevice::Read(BufferId buffer, std::int64_t offset_bytes, std::span<std::byte> bytes,
                              absl::Time deadline) {
  GEMMD_RETURN_IF_ERROR(Enter());
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Buffer> source, buffers_.Find(buffer));
  GEMMD_RETURN_IF_ERROR(CheckRange(offset_bytes, bytes.size(), source->bytes));
  if (bytes.empty()) return absl::OkStatus();
  GEMMD_ASSIGN_OR_RETURN(const StreamPool::Lease lease, streams_.Acquire(deadline));
  const auto address = source->memory.get() + static_cast<CUdeviceptr>(offset_bytes);
  GEMMD_RETURN_IF_ERROR(Observe(CopyToHost(lease->stream, bytes, address)));
  return Observe(Synchronize(lease->stream));
}

absl::StatusOr<LoadedKernelId> CudaDevice::Load(const KernelImage& image, absl::Time) {
  GEMMD_RETURN_IF_ERROR(Enter());
  absl::StatusOr<LoadedImage> kernel = LoadedImage::Load(driver_, info_.limits, image.manifest, image.cubins);
  if (!kernel.ok()) return Observe(kernel.status());
  return kernels_.Insert(std::make_shared<LoadedImage>(*std::move(kernel)));
}

absl::Status CudaDevice::Unload(LoadedKernelId kernel, absl::Time) {
  GEMMD_RETURN_IF_ERROR(Enter());
  return kernels_.Remove(kernel).status();
}

absl::StatusOr<LaunchResult> CudaDevice::Launch(const LaunchRequest& request, absl::Time deadline) {
  GEMMD_RETURN_IF_ERROR(Enter());
  absl::StatusOr<LaunchResult> result = RunLaunch(request, deadline);
  if (!result.ok()) return Observe(result.status());
  return result;
}

absl::StatusOr<LaunchResult> CudaDevice::RunLaunch(const LaunchRequest& request, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<LoadedImage> kernel, kernels_.Find(request.kernel));
  GEMMD_ASSIGN_OR_RETURN(const BoundTensors<Buffer> bound, BindTensors(buffers_, request, [](const Buffer& buffer) {
                           return MemoryRange{buffer.memory.get(), buffer.bytes};
                         }));
  std::shared_ptr<Buffer> flush;
  if (request.flush != BufferId{}) {
    GEMMD_ASSIGN_OR_RETURN(flush, buffers_.Find(request.flush));
  }
  GEMMD_ASSIGN_OR_RETURN(const std::int64_t scratch_bytes, ScratchBytes(kernel->manifest(), request.shape));
  std::optional<StreamPool::Lease> held;
  CUdeviceptr scratch = 0;
  if (scratch_bytes > 0) {
    GEMMD_ASSIGN_OR_RETURN(held, streams_.Acquire(deadline));
    GEMMD_ASSIGN_OR_RETURN(scratch, held->Scratch(driver_, scratch_bytes));
  }
  GEMMD_ASSIGN_OR_RETURN(LaunchPlan plan,
                         PlanLaunch(kernel->manifest(), request, bound.inputs, bound.outputs, scratch));
  if (plan.steps.empty()) return LaunchResult{};
  GEMMD_RETURN_IF_ERROR(kernel->EncodeMaps(plan));
  if (!held) {
    GEMMD_ASSIGN_OR_RETURN(held, streams_.Acquire(deadline));
  }
  StreamPool::Lease& lease = *held;
  // While the flush runs the launch is enqueued behind it: no gap between the events is the host's.
  const absl::Status enqueued = [&] {
    if (flush != nullptr) GEMMD_RETURN_IF_ERROR(FillWithZeros(lease->stream, flush->memory.get(), flush->bytes));
    GEMMD_RETURN_IF_ERROR(Record(lease->start, lease->stream));
    return kernel->Enqueue(plan, lease->stream.get());
  }();
  // Whatever was enqueued has to end before the stream is anyone else's.
  GEMMD_RETURN_IF_ERROR(Record(lease->end, lease->stream));
  const absl::Time until = past_deadline_ == PastDeadline::kAwait ? absl::InfiniteFuture() : deadline;
  GEMMD_ASSIGN_OR_RETURN(const bool done, WaitFor(lease->end, until));
  if (!done) {
    std::vector<std::shared_ptr<const void>> in_use(bound.held.begin(), bound.held.end());
    in_use.push_back(kernel);
    in_use.push_back(flush);
    abandoned_.Adopt(std::move(lease), std::move(in_use));
    return DeadlineExceeded("the launch on {} did not end in time; it goes on", info_.id);
  }
  GEMMD_RETURN_IF_ERROR(enqueued);
  GEMMD_ASSIGN_OR_RETURN(const std::int64_t device_ns, ElapsedNs(lease->start, lease->end));
  return LaunchResult{device_ns};
}

}  // namespace gemmd
