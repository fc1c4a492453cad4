// A device in a worker process: a fault there costs the calls in flight, not this process.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/call_channel.h"
#include "base/process.h"
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
};

// Once the worker is gone, every call answers Unavailable and says how it ended; the device does not come back.
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
  std::string Fault();
  pid_t pid() const { return pid_; }

  const DeviceInfo& info() const override { return info_; }
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
  WorkerDevice(std::string device, StagingArea staging, ChildProcess child, UniqueFd socket);
  absl::Status Identify(absl::Time deadline);
  absl::StatusOr<v1::WorkerResponse> Call(v1::WorkerRequest request, absl::Time deadline,
                                          std::function<void()> on_late_answer = nullptr);
  absl::Status Gone();

  const std::string device_;
  DeviceInfo info_;
  StagingArea staging_;
  std::mutex mutex_;
  std::string end_;  // how the worker ended, once that is known
  std::atomic<bool> device_lost_{false};
  const pid_t pid_;
  ChildProcess child_;
  std::unique_ptr<CallChannel> channel_;
};

}  // namespace gemmd
