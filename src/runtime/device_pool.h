// The devices of a daemon, each behind its worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/duration_histogram.h"
#include "runtime/device.h"
#include "runtime/worker_device.h"

namespace gemmd {

// One device, as an operator asks after it.
struct DeviceState {
  std::string id;
  std::optional<DeviceInfo> info;  // absent: no worker of it ever started
  bool serving = false;            // its worker lives
  std::int64_t starts = 0;         // of workers
  std::int64_t faults = 0;         // workers that died, hung or lost their device
  std::int64_t hangs = 0;          // of them, those killed because a call did not end
  std::string last_fault;
  absl::Time last_fault_at;
  DurationHistogram::Snapshot recoveries;  // from a fault to the next worker's readiness
};

// Thread-safe. A device that lost its worker gets a new one at once: its buffers and loaded kernels are gone with the
// old one, and their ids answer NotFound. Whoever still holds the old device gets Unavailable from it. A worker that
// does not answer in time is killed.
class DevicePool {
 public:
  struct Options {
    WorkerOptions worker;  // for every device; `worker.device` is ignored
    bool include_host = true;
    std::optional<std::vector<int>> cuda_ordinals;  // absent: every GPU there is
  };
  // Who is told of the devices' lives, on threads of the pool or of those who call it. Must not call the pool.
  struct Watcher {
    // After a device has turned unhealthy, and before its next worker starts.
    std::function<void(const std::string& device, const DeviceFault& fault)> on_fault = nullptr;
    std::function<void(const std::string& device, bool serving)> on_serving = nullptr;
  };

  // Starts a worker for each device, all at once. One that does not start, beside others that do, is tried again when
  // it is asked for, and one that served, now and then too. Errors: NotFound (no worker executable; no device at all,
  // and says why there is no GPU), Unavailable (none of them starts).
  static absl::StatusOr<std::unique_ptr<DevicePool>> Create(const Options& options);
  ~DevicePool();

  // Errors: NotFound (names the devices there are), Unavailable (its worker does not start, and says why).
  absl::StatusOr<std::shared_ptr<Device>> Find(std::string_view id);
  // The first GPU; the host where there is none.
  absl::StatusOr<std::shared_ptr<Device>> Default();
  // Of every device that ever started, GPUs first.
  std::vector<DeviceInfo> List() const;
  // Tells `watcher` from now on, first whether each device serves; an empty one ends that, and waits for what runs of
  // the last one.
  void Watch(Watcher watcher);
  // Of every device, GPUs first.
  std::vector<DeviceState> States();
  // Why there is no GPU, or empty.
  const std::string& no_gpu_reason() const { return no_gpu_reason_; }

 private:
  struct Entry;
  struct Look;
  explicit DevicePool(Options options);
  absl::StatusOr<std::shared_ptr<Device>> Start(Entry& entry);
  void NoteFault(Entry& entry);
  static bool Await(Entry& entry, Look& look);
  void Supervise(Entry& entry);

  void Tell(const Entry& entry, const DeviceFault* fault, bool serving);

  const Options options_;
  std::mutex watcher_mutex_;  // after an entry's
  Watcher watcher_;
  std::vector<std::shared_ptr<Entry>> entries_;  // fixed once created; GPUs first
  std::string no_gpu_reason_;
};

}  // namespace gemmd
