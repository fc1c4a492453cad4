#include "server/daemon_view.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace gemmd {
namespace {

constexpr std::size_t kKernels = 20;

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

ProcessUsage UsageOfThisProcess() {
  ProcessUsage usage;
  std::ifstream statm("/proc/self/statm");
  std::int64_t all_pages = 0, resident_pages = 0;
  if (statm >> all_pages >> resident_pages) usage.resident_bytes = resident_pages * sysconf(_SC_PAGESIZE);
  std::error_code failed;
  const std::filesystem::directory_iterator fds("/proc/self/fd", failed);
  if (!failed) usage.open_fds = std::distance(begin(fds), end(fds)) - 1;  // without that of the listing
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_fds = static_cast<std::int64_t>(limit.rlim_cur);
  rusage used{};
  if (getrusage(RUSAGE_SELF, &used) == 0) usage.cpu_seconds = Seconds(used.ru_utime) + Seconds(used.ru_stime);
  return usage;
}

std::vector<HeldKernel> MostUsed(std::vector<HeldKernel> kernels) {
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const HeldKernel& a, const HeldKernel& b) { return a.hits > b.hits; });
  if (kernels.size() > kKernels) kernels.resize(kKernels);
  return kernels;
}

template <typename Map>
typename Map::mapped_type ValueOr0(const Map& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? typename Map::mapped_type{} : found->second;
}

}  // namespace

DaemonView DaemonObserver::Take(bool serving) const {
  DaemonView view{.version = parts_.version,
                  .serving = serving,
                  .now = absl::Now(),
                  .started = started_,
                  .process = UsageOfThisProcess(),
                  .compiler = parts_.compiler->KnownIdentity(),
                  .compile_workers = parts_.compiler->stats(),
                  .cache = parts_.inventory->Stats(),
                  .devices = {},
                  .lost_buffers = parts_.buffers->lost(),
                  .quarantine = parts_.kernels->quarantine().stats(),
                  .quarantined = parts_.kernels->quarantine().List(),
                  .methods = parts_.journal->Methods(),
                  .stages = {},
                  .kernels = MostUsed(parts_.inventory->Kernels(0)),
                  .failures = parts_.journal->Failures()};
  for (const Stage stage : kStages) {
    view.stages[static_cast<std::size_t>(stage)] = parts_.kernels->stages().of(stage).Take();
  }
  const std::map<std::string, LaunchCounts> launches = parts_.kernels->Launches();
  const std::map<std::string, FairQueueStats> queues = parts_.kernels->LaunchQueues();
  const std::map<std::string, BufferTotals> buffers = parts_.buffers->Totals();
  std::map<std::string, std::int64_t> loaded;
  for (const auto& [plan_id, devices] : parts_.kernels->LoadedOn()) {
    for (const std::string& device : devices) ++loaded[device];
  }
  for (DeviceState& state : parts_.devices->States()) {
    const std::string id = state.id;
    view.devices.push_back({.state = std::move(state),
                            .launches = ValueOr0(launches, id),
                            .queue = ValueOr0(queues, id),
                            .buffers = ValueOr0(buffers, id),
                            .loaded_kernels = ValueOr0(loaded, id)});
  }
  return view;
}

}  // namespace gemmd
