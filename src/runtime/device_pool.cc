#include "runtime/device_pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include "base/status.h"
#include "runtime/device_discovery.h"

namespace gemmd {

struct DevicePool::Entry {
  explicit Entry(std::string device_id) : id(std::move(device_id)) {}
  const std::string id;
  std::mutex start;  // held while a worker starts, so that only one does
  std::mutex mutex;
  std::shared_ptr<WorkerDevice> device;
  std::optional<DeviceInfo> info;  // of the last worker that started
  std::int64_t starts = 0, faults = 0;
  std::string last_fault;
  absl::Time last_fault_at;
  const WorkerDevice* faulty = nullptr;  // the device whose fault has been counted

  // Counts a fault of the present device, once. Requires the mutex.
  void NoteFault() {
    if (device == nullptr || device->healthy() || device.get() == faulty) return;
    faulty = device.get();
    ++faults;
    last_fault = device->Fault();
    last_fault_at = absl::Now();
    spdlog::error("{}", last_fault);
  }
};

DevicePool::DevicePool(WorkerOptions worker) : worker_(std::move(worker)) {}
DevicePool::~DevicePool() = default;

absl::StatusOr<std::unique_ptr<DevicePool>> DevicePool::Create(const Options& options) {
  std::unique_ptr<DevicePool> pool(new DevicePool(options.worker));
  std::vector<int> ordinals = options.cuda_ordinals.value_or(std::vector<int>{});
  if (!options.cuda_ordinals.has_value()) {
    GEMMD_ASSIGN_OR_RETURN(DiscoveredGpus found,
                           DiscoverGpus(options.worker.executable, absl::Now() + options.worker.start_timeout));
    for (int ordinal = 0; ordinal < found.count; ++ordinal) ordinals.push_back(ordinal);
    pool->no_gpu_reason_ = std::move(found.reason);
  }
  for (const int ordinal : ordinals) pool->entries_.push_back(std::make_unique<Entry>(fmt::format("cuda:{}", ordinal)));
  if (options.include_host) pool->entries_.push_back(std::make_unique<Entry>("host"));
  if (pool->entries_.empty()) return NotFound("there is no device: {}", pool->no_gpu_reason_);
  std::vector<absl::Status> started(pool->entries_.size());
  std::vector<std::thread> starts;
  for (std::size_t i = 0; i < started.size(); ++i) {
    starts.emplace_back([&, i] { started[i] = pool->Start(*pool->entries_[i]).status(); });
  }
  for (std::thread& start : starts) start.join();
  if (std::none_of(started.begin(), started.end(), [](const absl::Status& status) { return status.ok(); })) {
    return started.front();
  }
  for (const absl::Status& status : started) {
    if (!status.ok()) spdlog::error("{}", MessageOf(status));
  }
  return pool;
}

absl::StatusOr<std::shared_ptr<Device>> DevicePool::Start(Entry& entry) {
  const auto current = [&entry]() -> std::shared_ptr<WorkerDevice> {
    const std::lock_guard lock(entry.mutex);
    entry.NoteFault();
    return entry.device != nullptr && entry.device->healthy() ? entry.device : nullptr;
  };
  if (std::shared_ptr<WorkerDevice> device = current()) return device;
  const std::lock_guard starting(entry.start);
  if (std::shared_ptr<WorkerDevice> device = current()) return device;  // somebody else started it meanwhile
  WorkerOptions options = worker_;
  options.device = entry.id;
  absl::StatusOr<std::unique_ptr<WorkerDevice>> spawned = WorkerDevice::Spawn(options);
  if (!spawned.ok()) {
    return Unavailable("the worker of {} does not start: {}", entry.id, MessageOf(spawned.status()));
  }
  std::shared_ptr<WorkerDevice> fresh = *std::move(spawned);
  std::shared_ptr<WorkerDevice> dead;  // destroyed without the lock
  const std::lock_guard lock(entry.mutex);
  dead = std::exchange(entry.device, fresh);
  entry.faulty = nullptr;
  ++entry.starts;
  entry.info = fresh->info();
  return fresh;
}

absl::StatusOr<std::shared_ptr<Device>> DevicePool::Find(std::string_view id) {
  std::string known;
  for (const std::unique_ptr<Entry>& entry : entries_) {
    if (entry->id == id) return Start(*entry);
    known += (known.empty() ? "" : ", ") + entry->id;
  }
  return NotFound("there is no device \"{}\"; there are: {}", id, known);
}

absl::StatusOr<std::shared_ptr<Device>> DevicePool::Default() { return Start(*entries_.front()); }

std::vector<DeviceInfo> DevicePool::List() const {
  std::vector<DeviceInfo> infos;
  for (const std::unique_ptr<Entry>& entry : entries_) {
    const std::lock_guard lock(entry->mutex);
    if (entry->info.has_value()) infos.push_back(*entry->info);
  }
  return infos;
}

std::vector<DeviceState> DevicePool::States() const {
  std::vector<DeviceState> states;
  for (const std::unique_ptr<Entry>& entry : entries_) {
    const std::lock_guard lock(entry->mutex);
    entry->NoteFault();
    states.push_back({.id = entry->id,
                      .info = entry->info,
                      .serving = entry->device != nullptr && entry->device->healthy(),
                      .starts = entry->starts,
                      .faults = entry->faults,
                      .last_fault = entry->last_fault,
                      .last_fault_at = entry->last_fault_at});
  }
  return states;
}

}  // namespace gemmd
