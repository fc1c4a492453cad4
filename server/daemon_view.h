// All that an operator sees of a running daemon, as plain values taken at one time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "compile/subprocess_compiler.h"
#include "engine/cache_inventory.h"
#include "engine/device_buffers.h"
#include "engine/kernel_service.h"
#include "engine/stage_times.h"
#include "runtime/device_pool.h"
#include "server/call_journal.h"

namespace gemmd {

// Of the daemon itself, without its workers.
struct ProcessUsage {
  std::int64_t resident_bytes = 0;
  std::int64_t open_fds = 0, max_fds = 0;
  double cpu_seconds = 0;
};

struct DeviceView {
  DeviceState state;
  LaunchCounts launches;
  FairQueueStats queue;  // of launches; empty before the first
  BufferTotals buffers;  // of clients
  std::int64_t loaded_kernels = 0;
};

struct DaemonView {
  std::string version;
  bool serving = false;
  absl::Time now, started;
  ProcessUsage process;
  std::string compiler;  // its build; empty where none has answered
  WorkerPoolStats compile_workers;
  CacheStats cache;
  std::vector<DeviceView> devices;
  std::int64_t lost_buffers = 0;
  QuarantineStats quarantine;
  std::vector<QuarantinedKernel> quarantined;  // the latest first
  std::map<std::string, MethodCounts, std::less<>> methods;
  std::array<DurationHistogram::Snapshot, kStages.size()> stages;
  std::vector<HeldKernel> kernels;  // in memory, the most used first
  std::vector<EndedCall> failures;  // the latest first
};

// Takes views. What it looks at outlives it.
class DaemonObserver {
 public:
  struct Parts {
    std::string version;
    const SubprocessCompiler* compiler;
    DevicePool* devices;
    const KernelService* kernels;
    const DeviceBuffers* buffers;
    const CacheInventory* inventory;
    const CallJournal* journal;
  };
  explicit DaemonObserver(Parts parts) : parts_(std::move(parts)) {}

  DaemonView Take(bool serving) const;

 private:
  const Parts parts_;
  const absl::Time started_ = absl::Now();
};

}  // namespace gemmd
