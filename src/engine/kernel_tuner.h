// What the daemon does to tune a spec: search, record, let the engine know.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/executor.h"
#include "base/fair_queue.h"
#include "engine/engine.h"
#include "engine/kernel_service.h"
#include "tune/search.h"
#include "tune/tuning_store.h"

namespace gemmd {

struct TuneRequest {
  KernelSpec spec;     // without a pin
  std::string device;  // empty: the default device
  DimValues dims;      // of the dynamic ones
  absl::Duration budget = absl::Seconds(5);
  int candidates = 0;  // to open with, out of all legal configs; 0: the best of the ranking
  std::function<bool()> cancelled = nullptr;
  std::function<void(const SearchProgress&)> progress = nullptr;
};

struct TuneOutcome {
  SearchOutcome search;
  TuningRecord record;
  std::string not_recorded;  // why the file did not take the record, which holds until the daemon's end; else empty
  std::string device;
};

// Thread-safe. One search at a time on a device.
class KernelTuner {
 public:
  // All outlive the tuner. `compiles`: side by side, of one tuner.
  KernelTuner(Engine* engine, KernelService* kernels, TuningStore* records, int compiles);

  // Searches within the budget, keeps the record, and has the engine plan the spec anew: whoever launches it next gets
  // the winner, and nobody waits. Errors: AskToTune's, ResolveSignature's, InvalidArgument (nothing to compute, or no
  // budget), NotFound (no such device), ResourceExhausted (another search runs on the device; no memory for the
  // tensors), SearchConfigs'.
  absl::StatusOr<TuneOutcome> Tune(const TuneRequest& request, absl::Time deadline);

  TuningStore& records() { return *records_; }
  // Keeps records from elsewhere. Errors: TuningStore::Put's.
  absl::Status Import(const std::vector<TuningRecord>& records);

 private:
  FairQueue& TurnsOf(const std::string& device);

  Engine* engine_;
  KernelService* kernels_;
  TuningStore* records_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<FairQueue>> turns_;  // by device id
  Executor compiles_;                                        // last: its threads use the others
};

}  // namespace gemmd
