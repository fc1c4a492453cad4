// The devices of a daemon, each behind its worker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/device.h"
#include "runtime/worker_device.h"

namespace gemmd {

// One device, as an operator asks after it.
struct DeviceState {
  std::string id;
  std::optional<DeviceInfo> info;  // absent: no worker of it ever started
  bool serving = false;            // its worker lives; otherwise the next Find starts another
  std::int64_t starts = 0;         // of workers
  std::int64_t faults = 0;         // workers that died or lost their device, as far as that was seen
  std::string last_fault;
  absl::Time last_fault_at;
};

// Thread-safe. A device whose worker died gets a new one at the next Find: its buffers and loaded kernels are gone with
// the old one, and their ids answer NotFound. Whoever still holds the old device gets Unavailable from it.
class DevicePool {
 public:
  struct Options {
    WorkerOptions worker;  // for every device; `worker.device` is ignored
    bool include_host = true;
    std::optional<std::vector<int>> cuda_ordinals;  // absent: every GPU there is
  };

  // Starts a worker for each device, all at once. One that does not start, beside others that do, is tried again when
  // it is asked for. Errors: NotFound (no worker executable; no device at all, and says why there is no GPU),
  // Unavailable (none of them starts).
  static absl::StatusOr<std::unique_ptr<DevicePool>> Create(const Options& options);
  ~DevicePool();

  // Errors: NotFound (names the devices there are), Unavailable (its worker does not start, and says why).
  absl::StatusOr<std::shared_ptr<Device>> Find(std::string_view id);
  // The first GPU; the host where there is none.
  absl::StatusOr<std::shared_ptr<Device>> Default();
  // Of every device that ever started, GPUs first.
  std::vector<DeviceInfo> List() const;
  // Of every device, GPUs first. Learns of faults that no Find has met yet.
  std::vector<DeviceState> States() const;
  // Why there is no GPU, or empty.
  const std::string& no_gpu_reason() const { return no_gpu_reason_; }

 private:
  struct Entry;
  explicit DevicePool(WorkerOptions worker);
  absl::StatusOr<std::shared_ptr<Device>> Start(Entry& entry);

  const WorkerOptions worker_;
  std::vector<std::unique_ptr<Entry>> entries_;  // fixed once created; GPUs first
  std::string no_gpu_reason_;
};

}  // namespace gemmd
