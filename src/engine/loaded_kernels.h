// Which kernels are loaded on which device.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/duration_histogram.h"
#include "cache/single_flight.h"
#include "engine/compiled_spec.h"
#include "runtime/device.h"

namespace gemmd {

// A compiled spec on a device; unloaded with the last user.
class LoadedKernel {
 public:
  LoadedKernel(std::shared_ptr<Device> device, LoadedKernelId id) : device_(std::move(device)), id_(id) {}
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel&) = delete;
  LoadedKernel& operator=(const LoadedKernel&) = delete;
  const std::shared_ptr<Device>& device() const { return device_; }
  LoadedKernelId id() const { return id_; }

 private:
  std::shared_ptr<Device> device_;
  LoadedKernelId id_;
};

// For one user: it is not kept. Errors: Device::Load's.
absl::StatusOr<std::shared_ptr<const LoadedKernel>> LoadKernel(const std::shared_ptr<Device>& device,
                                                               const CompiledSpec& compiled, absl::Time deadline);

// Thread-safe. Keeps the `capacity` most recently used, over all devices. A device whose worker was born anew is
// another Device object; what was loaded on the old one is dropped at the first load on the new one.
class LoadedKernels {
 public:
  // Records how long loads take in `times`, which outlives this.
  LoadedKernels(std::size_t capacity, DurationHistogram* times) : capacity_(capacity), times_(times) {}

  // Loads it unless it is there; once however many ask. Errors: Device::Load's.
  absl::StatusOr<std::shared_ptr<const LoadedKernel>> Get(const std::shared_ptr<Device>& device,
                                                          const CompiledSpec& compiled, absl::Time deadline);

  // Lets go of what is loaded on devices that were lost.
  void DropLost();

  // The ids of the devices that have a kernel loaded, by its plan_id.
  std::map<std::string, std::vector<std::string>> Devices() const;

 private:
  struct Entry {
    std::string key;
    std::string plan_id;
    std::shared_ptr<const LoadedKernel> kernel;
  };
  std::shared_ptr<const LoadedKernel> Find(const std::string& key);
  void Insert(Entry entry);
  template <typename Condition>
  std::list<Entry> TakeIf(Condition condition);  // requires the mutex

  const std::size_t capacity_;
  DurationHistogram* const times_;
  SingleFlight<std::shared_ptr<const LoadedKernel>> flights_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace gemmd
