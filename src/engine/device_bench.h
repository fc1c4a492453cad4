// Candidates of a search, compiled by the engine and measured on a device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/executor.h"
#include "engine/engine.h"
#include "engine/kernel_service.h"
#include "engine/tuning_tensors.h"
#include "tune/search.h"

namespace gemmd {

// A launch waits its turn among those of clients, one at a time, so that tuning takes no more of a device than one of
// them. A candidate that costs the device its worker is rejected; the search goes on on the next worker.
class DeviceBench : public TuningBench {
 public:
  struct Parts {
    Engine* engine;
    KernelService* kernels;
    Executor* compiles;  // where compiles wait
  };
  // All parts outlive the bench; what `compiles` has of it when it ends is let go of there.
  // Errors: TuningTensors::Make's; KernelService::FindDevice's.
  static absl::StatusOr<std::unique_ptr<DeviceBench>> Create(const Parts& parts, const TuningQuestion& question,
                                                             const LaunchSignature& signature,
                                                             const std::string& device, absl::Time deadline);
  ~DeviceBench() override;

  absl::Time Now() const override;
  void Start(std::size_t candidate, const KernelConfig& config) override;
  std::optional<absl::Status> Ready(std::size_t candidate) override;
  void AwaitReady(absl::Time until) override;
  absl::StatusOr<std::vector<std::int64_t>> Measure(std::size_t candidate, int repeats) override;
  absl::Status Verify(std::size_t candidate) override;

 private:
  struct Shared;
  struct Candidate {
    KernelConfig config;
    std::shared_ptr<const LoadedKernel> loaded;  // null: not on this worker
  };
  DeviceBench(const Parts& parts, const TuningQuestion& question, const LaunchSignature& signature, std::string device,
              absl::Time deadline);
  void Submit(std::size_t candidate, const KernelConfig& config);
  absl::Status EnsureDevice();
  absl::StatusOr<std::int64_t> Launch(std::size_t candidate, TuningTensors::Outputs outputs, bool flush);
  absl::Status EnsureReference();

  const Parts parts_;
  const TuningQuestion question_;
  const LaunchSignature signature_;
  const std::string device_id_;
  const absl::Time deadline_;
  const KernelConfig portable_;
  const std::shared_ptr<Shared> shared_;  // with the compiles
  std::shared_ptr<Device> device_;
  std::optional<TuningTensors> tensors_;
  std::vector<Candidate> candidates_;
  Candidate reference_;
  bool has_reference_ = false;  // its results are in the tensors
};

}  // namespace gemmd
