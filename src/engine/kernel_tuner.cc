#include "engine/kernel_tuner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"
#include "engine/device_bench.h"
#include "spec/validate.h"
#include "tune/neighbours.h"

namespace gemmd {
namespace {

constexpr int kMostCandidates = 10'000;
constexpr std::size_t kWaitingCompiles = 2 * kMostCandidates;
constexpr absl::Duration kGrace = absl::Seconds(30);  // for what runs when the budget ends
constexpr absl::Duration kMostBudget = absl::Hours(1);

TensorArguments WholeTensors(const LaunchSignature& signature) {
  TensorArguments arguments;
  for (const SignatureTensor& input : signature.inputs) arguments[input.name] = {};
  for (const SignatureTensor& output : signature.outputs) arguments[output.name] = {};
  return arguments;
}

absl::Status CheckRequest(const TuneRequest& request, const GemmShape& shape) {
  if (request.budget <= absl::ZeroDuration() || request.budget > kMostBudget) {
    return InvalidArgument("budget: {} is not between 0 and {}", absl::FormatDuration(request.budget),
                           absl::FormatDuration(kMostBudget));
  }
  if (request.candidates < 0 || request.candidates > kMostCandidates) {
    return InvalidArgument("candidates: {} is not between 0 and {}", request.candidates, kMostCandidates);
  }
  if (shape.m == 0 || shape.n == 0)
    return InvalidArgument("dims: M = {}, N = {}: nothing to compute", shape.m, shape.n);
  return absl::OkStatus();
}

}  // namespace

KernelTuner::KernelTuner(Engine* engine, KernelService* kernels, TuningStore* records, int compiles)
    : engine_(engine), kernels_(kernels), records_(records), compiles_("tune", compiles, kWaitingCompiles) {}

FairQueue& KernelTuner::TurnsOf(const std::string& device) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<FairQueue>& turns = turns_[device];
  if (turns == nullptr) turns = std::make_unique<FairQueue>("searches on " + device, 1, 0);
  return *turns;
}

absl::StatusOr<TuneOutcome> KernelTuner::Tune(const TuneRequest& request, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, kernels_->FindDevice(request.device));
  const DeviceInfo info = device->info();
  GEMMD_RETURN_IF_ERROR(ToStatus(Validate(request.spec)));
  const CanonicalSpec canonical = Canonicalize(request.spec);
  GEMMD_ASSIGN_OR_RETURN(const LaunchSignature signature,
                         ResolveSignature(request.spec, canonical, request.dims, SomeScalars(request.spec)));
  GEMMD_RETURN_IF_ERROR(CheckRequest(request, signature.shape));
  const DeviceLimits& limits = kernels_->LimitsOfDevice(info);
  const Assumptions assumptions = AssumptionsOf(signature, WholeTensors(signature));
  GEMMD_ASSIGN_OR_RETURN(const TuningQuestion question,
                         engine_->AskToTune(request.spec, limits, assumptions, signature.shape.m, TunedDeviceOf(info)));
  GEMMD_ASSIGN_OR_RETURN(const FairQueue::Place turn, TurnsOf(info.id).Enter("", deadline));
  GEMMD_ASSIGN_OR_RETURN(
      const auto bench,
      DeviceBench::Create({.engine = engine_, .kernels = kernels_, .compiles = &compiles_}, question, signature,
                          info.id, std::min(deadline, absl::Now() + request.budget + kGrace)));
  SearchOptions options;
  options.budget = request.budget;
  options.cancelled = request.cancelled;
  options.progress = request.progress;
  options.neighbours = [&](const KernelConfig& config) {
    constexpr std::size_t kMostNeighbours = 10;
    return Neighbours(config, canonical.graph, limits, question.assumptions, signature.shape.m, kMostNeighbours);
  };
  std::vector<KernelConfig> ranking = question.range.configs;
  if (request.candidates > 0) {
    options.opening = static_cast<std::size_t>(request.candidates);
    ranking.resize(1);
    for (const KernelConfig& config :
         EveryConfig(canonical.graph, limits, question.assumptions, signature.shape.m, options.opening)) {
      ranking.push_back(config);
    }
  }
  GEMMD_ASSIGN_OR_RETURN(SearchOutcome search, SearchConfigs(ranking, *bench, options));
  TuneOutcome outcome{.search = std::move(search), .record = {}, .not_recorded = {}, .device = info.id};
  const TriedCandidate& winner = outcome.search.winner();
  outcome.record = {.key = question.key,
                    .config = winner.config,
                    .first_pick = outcome.search.first_pick().config,
                    .time_ns = static_cast<std::int64_t>(winner.time_ns),
                    .first_pick_time_ns = static_cast<std::int64_t>(outcome.search.first_pick().time_ns),
                    .shape = signature.shape,
                    .summary = Summary(canonical.graph),
                    .tuned_at = absl::FromUnixMillis(absl::ToUnixMillis(absl::Now()))};
  outcome.not_recorded = std::string(MessageOf(records_->Put(outcome.record)));
  engine_->Forget(question.key.spec_id);
  spdlog::info("tuned {} on {}: {} in {:.2f} us, first pick {} in {:.2f} us, {} candidates", outcome.record.summary,
               info.id, ScheduleOf(winner.config), winner.time_ns / 1000,
               ScheduleOf(outcome.search.first_pick().config), outcome.search.first_pick().time_ns / 1000,
               outcome.search.candidates.size());
  return outcome;
}

absl::Status KernelTuner::Import(const std::vector<TuningRecord>& records) {
  absl::Status first;
  for (const TuningRecord& record : records) {
    const absl::Status kept = records_->Put(record);
    if (first.ok()) first = kept;
    engine_->Forget(record.key.spec_id);
  }
  return first;
}

}  // namespace gemmd
