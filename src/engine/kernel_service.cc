#include "engine/kernel_service.h"

#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"
#include "spec/diagnostic.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

constexpr std::size_t kLoadedKernels = 512;
constexpr int kHandedOutPerSlot = 2;  // one that runs, and the next, so that a slot does not wait for its way here

}  // namespace

KernelService::KernelService(Engine* engine, DevicePool* devices, const DeviceLimits& default_limits,
                             const Bounds& bounds)
    : engine_(engine),
      devices_(devices),
      default_limits_(default_limits),
      max_waiting_(bounds.max_waiting),
      loaded_(kLoadedKernels, &engine->stages().of(Stage::kLoad)),
      quarantine_(bounds.quarantine_faults) {}

const DeviceLimits& KernelService::LimitsOfDevice(const DeviceInfo& device) const {
  switch (device.kind) {
    case DeviceKind::kHost:
      return default_limits_;
    case DeviceKind::kCuda:
      return device.limits;
  }
  return default_limits_;
}

absl::StatusOr<KernelService::PlannedFor> KernelService::Resolve(const KernelTarget& target) const {
  if (!target.arch.empty()) {
    const std::optional<Arch> arch = ArchFromName(target.arch);
    const std::optional<DeviceLimits> limits = arch ? LimitsOf(*arch) : std::nullopt;
    if (!limits) return InvalidArgument("target.arch: {} is not an arch that gemmd knows", Quote(target.arch));
    return PlannedFor{.limits = *limits, .device = {}};
  }
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, FindDevice(target.device));
  return PlannedFor{.limits = LimitsOfDevice(device->info()), .device = TunedDeviceOf(device->info())};
}

absl::StatusOr<std::shared_ptr<Device>> KernelService::FindDevice(std::string_view id) const {
  return id.empty() ? devices_->Default() : devices_->Find(id);
}

absl::StatusOr<PlannedSpec> KernelService::Plan(const KernelSpec& spec, const KernelTarget& target) const {
  GEMMD_ASSIGN_OR_RETURN(const PlannedFor planned, Resolve(target));
  return engine_->Plan(spec, planned.limits, Assumptions{}, planned.device);
}

absl::StatusOr<PlanExplanation> KernelService::Explain(const KernelSpec& spec, const KernelTarget& target,
                                                       const DimValues& dims) const {
  GEMMD_ASSIGN_OR_RETURN(const PlannedFor planned, Resolve(target));
  GEMMD_RETURN_IF_ERROR(ToStatus(Validate(spec)));
  const CanonicalSpec canonical = Canonicalize(spec);
  GemmShape shape = NominalShape(canonical.graph);
  if (!dims.empty()) {
    GEMMD_ASSIGN_OR_RETURN(const LaunchSignature signature, ResolveSignature(spec, canonical, dims, SomeScalars(spec)));
    shape = signature.shape;
  }
  return engine_->Explain(spec, planned.limits, Assumptions{}, shape, planned.device);
}

absl::StatusOr<CompileOutcome> KernelService::Compile(const KernelSpec& spec, const KernelTarget& target,
                                                      absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const PlannedFor planned, Resolve(target));
  return engine_->Compile(spec, planned.limits, Assumptions{}, std::nullopt, deadline, planned.device);
}

absl::StatusOr<CompileOutcome> KernelService::Prepare(const KernelSpec& spec, const DeviceInfo& device,
                                                      const Assumptions& assumptions, std::int64_t m,
                                                      absl::Time deadline) {
  const DeviceLimits& limits = LimitsOfDevice(device);
  const TunedDevice tuned = TunedDeviceOf(device);
  absl::StatusOr<CompileOutcome> compiled = engine_->Compile(spec, limits, assumptions, m, deadline, tuned);
  if (device.kind == DeviceKind::kCuda || !absl::IsUnavailable(compiled.status())) return compiled;
  GEMMD_ASSIGN_OR_RETURN(PlannedSpec planned, engine_->Plan(spec, limits, assumptions, tuned));
  CompileOutcome outcome{.compiled = nullptr,
                         .canonical = planned.canonical,
                         .tier = CacheTier::kUncompiled,
                         .uncompiled = std::string(MessageOf(compiled.status()))};
  outcome.compiled = std::make_shared<const CompiledSpec>(WithoutCubins(std::move(planned)));
  return outcome;
}

absl::StatusOr<LaunchOutcome> KernelService::LaunchPrepared(const CompileOutcome& prepared,
                                                            const std::shared_ptr<Device>& device,
                                                            const LaunchSignature& signature,
                                                            const TensorArguments& arguments, const Caller& caller) {
  GEMMD_ASSIGN_OR_RETURN(LaunchRequest request, BindLaunch(signature, arguments));
  GEMMD_RETURN_IF_ERROR(CheckLaunch(prepared.compiled->manifest, prepared.canonical, request, arguments));
  const std::string& plan_id = prepared.compiled->manifest.plan_id;
  GEMMD_RETURN_IF_ERROR(quarantine_.Check(device->info().id, plan_id));
  GEMMD_ASSIGN_OR_RETURN(const auto loaded, loaded_.Get(device, *prepared.compiled, caller.deadline));
  request.kernel = loaded->id();
  GEMMD_ASSIGN_OR_RETURN(const LaunchResult result, LaunchLoaded(*device, plan_id, request, caller));
  return LaunchOutcome{.compile = prepared, .result = result};
}

absl::StatusOr<LaunchResult> KernelService::LaunchLoaded(Device& device, const std::string& plan_id,
                                                         const LaunchRequest& request, const Caller& caller) {
  const absl::StatusOr<FairQueue::Place> place = [&] {
    const ScopeTimer timer(stages().of(Stage::kQueue));
    return QueueOf(device.info()).Enter(caller.client, caller.deadline);
  }();
  GEMMD_RETURN_IF_ERROR(place.status());
  return LaunchOn(device, plan_id, request, caller.deadline);
}

absl::Status KernelService::CheckAdmission(const CompileOutcome& prepared, const DeviceInfo& device) {
  GEMMD_RETURN_IF_ERROR(quarantine_.Check(device.id, prepared.compiled->manifest.plan_id));
  return QueueOf(device).CheckRoom();
}

void KernelService::NoteFault(const std::string& device, const DeviceFault& fault) {
  quarantine_.NoteFault(device, fault, absl::Now());
  loaded_.DropLost();
}

absl::StatusOr<LaunchResult> KernelService::LaunchOn(Device& device, const std::string& plan_id,
                                                     const LaunchRequest& request, absl::Time deadline) {
  absl::StatusOr<LaunchResult> result = [&] {
    const ScopeTimer timer(stages().of(Stage::kLaunch));
    return device.Launch(request, deadline);
  }();
  if (result.ok()) quarantine_.NoteSuccess(device.info().id, plan_id);
  const std::lock_guard lock(launches_mutex_);
  LaunchCounts& counts = launches_[device.info().id];
  ++(result.ok() ? counts.done : counts.failed);
  return result;
}

FairQueue& KernelService::QueueOf(const DeviceInfo& device) {
  const std::lock_guard lock(launches_mutex_);
  std::unique_ptr<FairQueue>& queue = queues_[device.id];
  if (queue == nullptr) {
    queue = std::make_unique<FairQueue>("launches on " + device.id, kHandedOutPerSlot * device.slots, max_waiting_);
  }
  return *queue;
}

std::map<std::string, FairQueueStats> KernelService::LaunchQueues() const {
  std::map<std::string, FairQueueStats> stats;
  const std::lock_guard lock(launches_mutex_);
  for (const auto& [device, queue] : queues_) stats[device] = queue->stats();
  return stats;
}

std::map<std::string, LaunchCounts> KernelService::Launches() const {
  const std::lock_guard lock(launches_mutex_);
  return launches_;
}

}  // namespace gemmd
