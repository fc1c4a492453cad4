// Kernels that are launched no more, because they cost a device its worker again and again.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/worker_device.h"

namespace gemmd {

struct QuarantinedKernel {
  std::string plan_id;
  std::string device;
  int faults = 0;
  std::string last_fault;
  absl::Time since;
  std::int64_t refused = 0;  // launches since then
};

struct QuarantineStats {
  std::int64_t kernels = 0;  // now
  std::int64_t refused = 0;  // launches, ever
};

// Of each device by itself: a broken GPU takes no kernel from the others. A fault counts for the kernel that ran, for
// an hour. Where several ran it counts for each of them, until that kernel's next launch on the device ends well: the
// guilty one's does not. Forgotten with the process: a new driver or a mended device starts afresh. Thread-safe.
class KernelQuarantine {
 public:
  // A kernel is quarantined at so many faults; 0: never.
  explicit KernelQuarantine(int faults) : faults_(faults) {}

  void NoteFault(const std::string& device, const DeviceFault& fault, absl::Time now);
  void NoteSuccess(const std::string& device, const std::string& plan_id);

  // Errors: FailedPrecondition (it is quarantined; says why, and what ends that). Such a refusal is counted.
  absl::Status Check(const std::string& device, const std::string& plan_id);

  // The latest first.
  std::vector<QuarantinedKernel> List() const;
  // Those whose plan_id begins so, with all that is held against them; returns how many there were, a kernel counting
  // once for each device. Errors: NotFound; InvalidArgument (it is empty, or the beginning of several plan_ids).
  absl::StatusOr<int> Release(std::string_view plan_id_prefix);
  int ReleaseAll();

  QuarantineStats stats() const;

 private:
  using Key = std::pair<std::string, std::string>;  // device, plan_id
  struct Record {
    std::deque<absl::Time> alone;  // when it was the only kernel that ran
    int beside = 0;                // faults beside others since its last success
    std::string last_fault;
    absl::Time last_fault_at;
    absl::Time since = absl::InfiniteFuture();  // quarantined since; not: never
    std::int64_t refused = 0;
    int faults() const { return static_cast<int>(alone.size()) + beside; }
    bool quarantined() const { return since != absl::InfiniteFuture(); }
  };
  void Forget(absl::Time now);  // requires the mutex

  const int faults_;
  std::atomic<bool> clean_{true};  // there are no records
  mutable std::mutex mutex_;
  std::map<Key, Record> records_;
  std::int64_t refused_ = 0;
};

}  // namespace gemmd
