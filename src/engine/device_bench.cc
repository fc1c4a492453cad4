#include "engine/device_bench.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>

#include "absl/time/clock.h"
#include "base/deadline.h"
#include "base/request_scope.h"
#include "base/status.h"
#include "plan/config_space.h"
#include "plan/row_kernels.h"

namespace gemmd {
namespace {

constexpr char kClient[] = "tuner";           // whose turn it takes
constexpr std::size_t kReference = SIZE_MAX;  // the candidate that others are compared with
constexpr int kBusyAttempts = 50;
constexpr absl::Duration kBusyPause = absl::Milliseconds(20);

using Built = absl::StatusOr<std::shared_ptr<const CompiledSpec>>;

KernelConfig PortableFor(const Graph& graph) {
  const RowSchedule rows = ReducesRows(graph) ? RowSchedule::kTwoKernels : RowSchedule::kNone;
  KernelConfig config = PortableConfig(ProductOf(graph, rows));
  config.rows = rows;
  return config;
}

}  // namespace

// What the compiles have of the bench, which may end before them.
struct DeviceBench::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  bool stopped = false;
  bool fresh = false;                  // something was built since AwaitReady last saw it
  std::map<std::size_t, Built> built;  // by candidate; absent: on its way

  std::optional<Built> Find(std::size_t candidate) {
    const std::lock_guard lock(mutex);
    const auto found = built.find(candidate);
    return found == built.end() ? std::nullopt : std::optional<Built>(found->second);
  }
};

absl::StatusOr<std::unique_ptr<DeviceBench>> DeviceBench::Create(const Parts& parts, const TuningQuestion& question,
                                                                 const LaunchSignature& signature,
                                                                 const std::string& device, absl::Time deadline) {
  std::unique_ptr<DeviceBench> bench(new DeviceBench(parts, question, signature, device, deadline));
  GEMMD_RETURN_IF_ERROR(bench->EnsureDevice());
  return bench;
}

DeviceBench::DeviceBench(const Parts& parts, const TuningQuestion& question, const LaunchSignature& signature,
                         std::string device, absl::Time deadline)
    : parts_(parts),
      question_(question),
      signature_(signature),
      device_id_(std::move(device)),
      deadline_(deadline),
      portable_(PortableFor(question.canonical.graph)),
      shared_(std::make_shared<Shared>()) {
  reference_.config = portable_;
}

DeviceBench::~DeviceBench() {
  const std::lock_guard lock(shared_->mutex);
  shared_->stopped = true;
}

absl::Time DeviceBench::Now() const { return absl::Now(); }

// The first candidate's compile goes before the reference's, for which nobody waits yet.
void DeviceBench::Start(std::size_t candidate, const KernelConfig& config) {
  candidates_.push_back({.config = config, .loaded = nullptr});
  Submit(candidate, config);
  if (candidate == 0) Submit(kReference, portable_);
}

void DeviceBench::Submit(std::size_t candidate, const KernelConfig& config) {
  const auto keep = [shared = shared_, candidate](Built built) {
    const std::lock_guard lock(shared->mutex);
    shared->built.emplace(candidate, std::move(built));
    shared->fresh = true;
    shared->changed.notify_all();
  };
  const auto compile = [keep, shared = shared_, engine = parts_.engine, question = question_, config,
                        deadline = deadline_, host = device_->info().kind == DeviceKind::kHost,
                        request = RequestScope::Current()] {
    {
      const std::lock_guard lock(shared->mutex);
      if (shared->stopped) return;
    }
    const RequestScope scope(request);
    Built built = engine->BuildConfig(question, config, deadline);
    // The host computes without cubins.
    if (host && absl::IsUnavailable(built.status())) {
      absl::StatusOr<PlannedSpec> planned = engine->PlanConfig(question, config);
      built = planned.ok() ? Built(std::make_shared<const CompiledSpec>(WithoutCubins(*std::move(planned))))
                           : Built(planned.status());
    }
    keep(std::move(built));
  };
  const absl::Status submitted = parts_.compiles->Submit(compile);
  if (!submitted.ok()) keep(submitted);
}

std::optional<absl::Status> DeviceBench::Ready(std::size_t candidate) {
  const std::optional<Built> built = shared_->Find(candidate);
  if (!built) return std::nullopt;
  return built->status();
}

void DeviceBench::AwaitReady(absl::Time until) {
  std::unique_lock lock(shared_->mutex);
  WaitUntil(shared_->changed, lock, until, [&] { return shared_->fresh; });
  shared_->fresh = false;
}

// A device that was lost is followed by one without tensors and kernels.
absl::Status DeviceBench::EnsureDevice() {
  if (device_ != nullptr && device_->Health().ok() && tensors_) return absl::OkStatus();
  for (Candidate& candidate : candidates_) candidate.loaded = nullptr;
  reference_.loaded = nullptr;
  has_reference_ = false;
  tensors_.reset();
  GEMMD_ASSIGN_OR_RETURN(device_, parts_.kernels->FindDevice(device_id_));
  GEMMD_ASSIGN_OR_RETURN(tensors_, TuningTensors::Make(device_, question_.canonical.graph, signature_, deadline_));
  return absl::OkStatus();
}

// Device time, in nanoseconds.
absl::StatusOr<std::int64_t> DeviceBench::Launch(std::size_t index, TuningTensors::Outputs outputs, bool flush) {
  GEMMD_RETURN_IF_ERROR(EnsureDevice());
  const std::optional<Built> built = shared_->Find(index);
  if (!built) return Unavailable("the kernel is not compiled yet");
  GEMMD_RETURN_IF_ERROR(built->status());
  const CompiledSpec& compiled = ***built;
  const std::string& plan_id = compiled.manifest.plan_id;
  GEMMD_RETURN_IF_ERROR(parts_.kernels->quarantine().Check(device_->info().id, plan_id));
  Candidate& candidate = index == kReference ? reference_ : candidates_[index];
  if (candidate.loaded == nullptr) {
    GEMMD_ASSIGN_OR_RETURN(candidate.loaded, LoadKernel(device_, compiled, deadline_));
  }
  const LaunchRequest request = tensors_->RequestFor(candidate.loaded->id(), outputs, flush);
  absl::StatusOr<LaunchResult> result;
  for (int attempt = 0; attempt < kBusyAttempts; ++attempt) {
    result = parts_.kernels->LaunchLoaded(*device_, plan_id, request, {.client = kClient, .deadline = deadline_});
    // That too many launches of others wait is no fault of the candidate's.
    if (!absl::IsResourceExhausted(result.status())) break;
    absl::SleepFor(kBusyPause);
  }
  GEMMD_RETURN_IF_ERROR(result.status());
  return result->device_ns;
}

absl::StatusOr<std::vector<std::int64_t>> DeviceBench::Measure(std::size_t candidate, int repeats) {
  // The first launch on a worker pays for what later ones find done.
  GEMMD_RETURN_IF_ERROR(EnsureDevice());
  if (candidates_[candidate].loaded == nullptr) {
    GEMMD_RETURN_IF_ERROR(Launch(candidate, TuningTensors::Outputs::kCandidate, false).status());
  }
  std::vector<std::int64_t> times_ns;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    GEMMD_ASSIGN_OR_RETURN(const std::int64_t time_ns, Launch(candidate, TuningTensors::Outputs::kCandidate, true));
    times_ns.push_back(time_ns);
  }
  return times_ns;
}

absl::Status DeviceBench::EnsureReference() {
  GEMMD_RETURN_IF_ERROR(EnsureDevice());
  if (has_reference_) return absl::OkStatus();
  {
    std::unique_lock lock(shared_->mutex);
    const bool built =
        WaitUntil(shared_->changed, lock, deadline_, [&] { return shared_->built.contains(kReference); });
    if (!built) return DeadlineExceeded("the portable kernel was not compiled in time");
  }
  GEMMD_RETURN_IF_ERROR(tensors_->Poison(TuningTensors::Outputs::kReference, deadline_));
  GEMMD_RETURN_IF_ERROR(Launch(kReference, TuningTensors::Outputs::kReference, false).status());
  has_reference_ = true;
  return absl::OkStatus();
}

absl::Status DeviceBench::Verify(std::size_t candidate) {
  if (const absl::Status reference = EnsureReference(); !reference.ok()) {
    return WithContext(reference, "there is nothing to compare with: ");
  }
  GEMMD_RETURN_IF_ERROR(tensors_->Poison(TuningTensors::Outputs::kCandidate, deadline_));
  GEMMD_RETURN_IF_ERROR(Launch(candidate, TuningTensors::Outputs::kCandidate, false).status());
  return tensors_->Compare(deadline_);
}

}  // namespace gemmd
