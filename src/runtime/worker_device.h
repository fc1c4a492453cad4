// A device in a worker process: a fault there costs the calls in flight, not this process.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/call_channel.h"
#include "base/process.h"
#include "base/worker_log.h"
#include "runtime/call_watch.h"
#include "runtime/device.h"
#include "runtime/staging_area.h"

namespace gemmd {

namespace v1 {
class WorkerRequest;
class WorkerResponse;
}  // namespace v1

struct WorkerOptions {
  std::string executable;  // gemmd_device_worker, absolute
  std::string device;      // "host", "cuda:0"
  int slots = 8;
  std::int64_t staging_bytes = std::int64_t{64} << 20;
  std::int64_t chunk_bytes = std::int64_t{4} << 20;
  absl::Duration start_timeout = absl::Seconds(30);
  absl::Duration launch_timeout = absl::Minutes(2);  // one that takes longer hangs
  WorkerLog log;
};

// How a device was lost.
struct DeviceFault {
  enum class Kind {
    kDied,  // its worker ended by itself, or was killed by somebody else
    kHung,  // a call did not end in time: its worker was killed
    kLost,  // the worker said that its device is of no more use
  };
  Kind kind = Kind::kDied;
  std::string reason;                 // "the worker of host was killed by SIGSEGV"
  std::vector<std::string> suspects;  // plan_ids of the kernels that ran, where one of them may be the cause
};

// Once the worker is gone, every call answers Unavailable and says how it ended, but for the launch that hung, which
// answers Internal; the device does not come back. A worker whose device is lost is killed.
// Reads and writes of any size go through the staging area in chunks.
class WorkerDevice : public Device {
 public:
  // Errors: NotFound (no such executable), Unavailable (the worker died, or has no such device; says why),
  // DeadlineExceeded (it did not start in time).
  static absl::StatusOr<std::unique_ptr<WorkerDevice>> Spawn(const WorkerOptions& options);
  ~WorkerDevice() override;

  // False once the worker is gone or its device lost: no later call can succeed.
  bool healthy() const;
  // Why it is not healthy. Requires that it is not. May wait for the end of the worker.
  DeviceFault Fault();
  pid_t pid() const { return pid_; }

  // Kills the worker where it owes an answer for longer than the launch timeout. Returns when to look again.
  CallWatch::Clock::time_point KillIfHung();
  // Runs `callback` once, on a thread of this device, when the worker is gone; at once if it already is.
  void OnGone(std::function<void()> callback) { channel_->OnBroken(std::move(callback)); }

  const DeviceInfo& info() const override { return info_; }
  absl::Status Health() override;
  absl::StatusOr<BufferId> Allocate(std::int64_t bytes, absl::Time deadline) override;
  absl::Status Free(BufferId buffer, absl::Time deadline) override;
  absl::Status Write(BufferId buffer, std::int64_t offset_bytes, std::span<const std::byte> bytes,
                     absl::Time deadline) override;
  absl::Status Read(BufferId buffer, std::int64_t offset_bytes, std::span<std::byte> bytes,
                    absl::Time deadline) override;
  absl::StatusOr<LoadedKernelId> Load(const KernelImage& image, absl::Time deadline) override;
  absl::Status Unload(LoadedKernelId kernel, absl::Time deadline) override;
  absl::StatusOr<LaunchResult> Launch(const LaunchRequest& request, absl::Time deadline) override;

 private:
  // What goes with a call on the channel.
  struct CallOptions {
    CallWatch::Kernel kernel = nullptr;  // of a launch
    std::function<void()> on_late_answer = nullptr;
  };
  WorkerDevice(const WorkerOptions& options, StagingArea staging, ChildProcess child, UniqueFd socket);
  absl::Status Identify(absl::Time deadline);
  absl::StatusOr<v1::WorkerResponse> Call(v1::WorkerRequest request, absl::Time deadline, CallOptions options);
  absl::StatusOr<v1::WorkerResponse> Call(v1::WorkerRequest request, absl::Time deadline);
  void Condemn(DeviceFault fault, std::uint64_t hung_call);
  absl::Status Gone(std::uint64_t call);
  DeviceFault Autopsy();

  const std::string device_;
  const absl::Duration launch_timeout_;
  DeviceInfo info_;
  StagingArea staging_;
  const std::shared_ptr<CallWatch> watch_;
  std::mutex mutex_;
  std::optional<DeviceFault> fault_;  // once it is known
  std::uint64_t hung_call_ = 0;       // that the worker was killed for
  std::unordered_map<LoadedKernelId, CallWatch::Kernel> plans_;
  std::atomic<bool> condemned_{false};
  const pid_t pid_;
  ChildProcess child_;
  std::unique_ptr<CallChannel> channel_;
};

}  // namespace gemmd
