#include "runtime/device_pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "base/executor.h"
#include "base/status.h"
#include "runtime/device_discovery.h"

namespace gemmd {
namespace {

// Between attempts to replace a worker that does not start.
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(10);

}  // namespace

struct DevicePool::Entry : std::enable_shared_from_this<DevicePool::Entry> {
  explicit Entry(std::string device_id) : id(std::move(device_id)) {}
  const std::string id;
  std::mutex start;  // held while a worker starts, so that only one does
  std::mutex mutex;
  std::condition_variable changed;  // the device, its health, or `stopping`
  bool stopping = false;
  std::shared_ptr<WorkerDevice> device;
  std::optional<DeviceInfo> info;  // of the last worker that started
  std::int64_t starts = 0, faults = 0, hangs = 0;
  std::string last_fault;
  absl::Time last_fault_at;
  DurationHistogram recoveries;
  const WorkerDevice* faulty = nullptr;  // the device whose fault has been counted
  std::thread supervisor;

  bool Serving() const { return device != nullptr && device->healthy(); }  // requires the mutex
};

// What a supervisor saw of its device, and when it looks again.
struct DevicePool::Look {
  std::shared_ptr<WorkerDevice> device;
  bool was_healthy = false;
  CallWatch::Clock::time_point next{};
};

DevicePool::DevicePool(Options options) : options_(std::move(options)) {}

DevicePool::~DevicePool() {
  for (const std::shared_ptr<Entry>& entry : entries_) {
    const std::lock_guard lock(entry->mutex);
    entry->stopping = true;
    entry->changed.notify_all();
  }
  for (const std::shared_ptr<Entry>& entry : entries_) {
    if (entry->supervisor.joinable()) entry->supervisor.join();
  }
}

// Counts a fault of the present device, once. Requires the entry's mutex.
void DevicePool::NoteFault(Entry& entry) {
  if (entry.device == nullptr || entry.device->healthy() || entry.device.get() == entry.faulty) return;
  entry.faulty = entry.device.get();
  const DeviceFault fault = entry.device->Fault();
  ++entry.faults;
  if (fault.kind == DeviceFault::Kind::kHung) ++entry.hangs;
  entry.last_fault = fault.reason;
  entry.last_fault_at = absl::Now();
  spdlog::error("{}", fault.reason);
  Tell(entry, &fault, false);
}

// Requires the entry's mutex. `fault` may be null.
void DevicePool::Tell(const Entry& entry, const DeviceFault* fault, bool serving) {
  const std::lock_guard lock(watcher_mutex_);
  if (fault != nullptr && watcher_.on_fault) watcher_.on_fault(entry.id, *fault);
  if (watcher_.on_serving) watcher_.on_serving(entry.id, serving);
}

void DevicePool::Watch(Watcher watcher) {
  {
    const std::lock_guard lock(watcher_mutex_);
    watcher_ = std::move(watcher);
  }
  for (const std::shared_ptr<Entry>& entry : entries_) {
    const std::lock_guard lock(entry->mutex);
    Tell(*entry, nullptr, entry->Serving());
  }
}

// Waits until `look.next`, or until the entry's device is another one or turned unhealthy, and takes it. False when the
// pool ends. The old device is let go of without the lock, which that device's own thread may wait for.
bool DevicePool::Await(Entry& entry, Look& look) {
  std::shared_ptr<WorkerDevice> current;
  {
    std::unique_lock lock(entry.mutex);
    entry.changed.wait_until(lock, look.next, [&] {
      return entry.stopping || entry.device != look.device || (look.was_healthy && !look.device->healthy());
    });
    if (entry.stopping) return false;
    current = entry.device;
  }
  look.device = std::move(current);
  look.was_healthy = look.device != nullptr && look.device->healthy();
  return true;
}

// One thread for each device: ends a worker that hangs, and replaces one that is gone.
void DevicePool::Supervise(Entry& entry) {
  NameThisThread(entry.id);
  absl::Duration pause = kFirstPause;
  Look look;
  while (Await(entry, look)) {
    look.next = CallWatch::Clock::now();
    if (look.device == nullptr) {
      look.next += std::chrono::hours(1);  // it never served: somebody's Find starts it
    } else if (look.was_healthy) {
      look.next = look.device->KillIfHung();
    } else if (const absl::Status started = Start(entry).status(); started.ok()) {
      pause = kFirstPause;
    } else {
      spdlog::error("{}", MessageOf(started));
      look.next += absl::ToChronoNanoseconds(pause);
      pause = std::min(2 * pause, kLongestPause);
    }
  }
}

absl::StatusOr<std::unique_ptr<DevicePool>> DevicePool::Create(const Options& options) {
  std::unique_ptr<DevicePool> pool(new DevicePool(options));
  std::vector<int> ordinals = options.cuda_ordinals.value_or(std::vector<int>{});
  if (!options.cuda_ordinals.has_value()) {
    GEMMD_ASSIGN_OR_RETURN(DiscoveredGpus found,
                           DiscoverGpus(options.worker.executable, absl::Now() + options.worker.start_timeout));
    for (int ordinal = 0; ordinal < found.count; ++ordinal) ordinals.push_back(ordinal);
    pool->no_gpu_reason_ = std::move(found.reason);
  }
  for (const int ordinal : ordinals) pool->entries_.push_back(std::make_shared<Entry>(fmt::format("cuda:{}", ordinal)));
  if (options.include_host) pool->entries_.push_back(std::make_shared<Entry>("host"));
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
  for (std::size_t i = 0; i < started.size(); ++i) {
    if (!started[i].ok()) spdlog::error("{}", MessageOf(started[i]));
    Entry& entry = *pool->entries_[i];
    entry.supervisor = std::thread([&entry, view = pool.get()] { view->Supervise(entry); });
  }
  return pool;
}

absl::StatusOr<std::shared_ptr<Device>> DevicePool::Start(Entry& entry) {
  const auto current = [&]() -> std::shared_ptr<WorkerDevice> {
    const std::lock_guard lock(entry.mutex);
    NoteFault(entry);
    return entry.Serving() ? entry.device : nullptr;
  };
  if (std::shared_ptr<WorkerDevice> device = current()) return device;
  const std::lock_guard starting(entry.start);
  if (std::shared_ptr<WorkerDevice> device = current()) return device;  // somebody else started it meanwhile
  WorkerOptions options = options_.worker;
  options.device = entry.id;
  absl::StatusOr<std::unique_ptr<WorkerDevice>> spawned = WorkerDevice::Spawn(options);
  if (!spawned.ok()) {
    return Unavailable("the worker of {} does not start: {}", entry.id, MessageOf(spawned.status()));
  }
  const std::shared_ptr<WorkerDevice> fresh = *std::move(spawned);
  std::shared_ptr<WorkerDevice> dead;  // destroyed without the lock
  {
    const std::lock_guard lock(entry.mutex);
    dead = std::exchange(entry.device, fresh);
    if (entry.faulty != nullptr) entry.recoveries.Record(absl::Now() - entry.last_fault_at);
    entry.faulty = nullptr;
    ++entry.starts;
    entry.info = fresh->info();
    Tell(entry, nullptr, true);
    entry.changed.notify_all();
  }
  fresh->OnGone([weak = entry.weak_from_this()] {
    const std::shared_ptr<Entry> waiting = weak.lock();
    if (waiting == nullptr) return;
    const std::lock_guard lock(waiting->mutex);
    waiting->changed.notify_all();
  });
  return fresh;
}

absl::StatusOr<std::shared_ptr<Device>> DevicePool::Find(std::string_view id) {
  std::string known;
  for (const std::shared_ptr<Entry>& entry : entries_) {
    if (entry->id == id) return Start(*entry);
    known += (known.empty() ? "" : ", ") + entry->id;
  }
  return NotFound("there is no device \"{}\"; there are: {}", id, known);
}

absl::StatusOr<std::shared_ptr<Device>> DevicePool::Default() { return Start(*entries_.front()); }

std::vector<DeviceInfo> DevicePool::List() const {
  std::vector<DeviceInfo> infos;
  for (const std::shared_ptr<Entry>& entry : entries_) {
    const std::lock_guard lock(entry->mutex);
    if (entry->info.has_value()) infos.push_back(*entry->info);
  }
  return infos;
}

std::vector<DeviceState> DevicePool::States() {
  std::vector<DeviceState> states;
  for (const std::shared_ptr<Entry>& entry : entries_) {
    const std::lock_guard lock(entry->mutex);
    NoteFault(*entry);
    states.push_back({.id = entry->id,
                      .info = entry->info,
                      .serving = entry->Serving(),
                      .starts = entry->starts,
                      .faults = entry->faults,
                      .hangs = entry->hangs,
                      .last_fault = entry->last_fault,
                      .last_fault_at = entry->last_fault_at,
                      .recoveries = entry->recoveries.Take()});
  }
  return states;
}

}  // namespace gemmd
