#include "engine/engine.h"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/status.h"
#include "cache/single_flight.h"
#include "engine/candidate.h"
#include "engine/lookup_key.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

struct Built {
  std::shared_ptr<const CompiledKernel> kernel;
  CacheTier tier = CacheTier::kNone;
};

absl::StatusOr<CanonicalSpec> CanonicalizeValid(const KernelSpec& spec) {
  GEMMD_RETURN_IF_ERROR(ToStatus(Validate(spec)));
  return Canonicalize(spec);
}

}  // namespace

std::string_view Name(CacheTier tier) {
  switch (tier) {
    case CacheTier::kNone:
      return "compiled";
    case CacheTier::kMemory:
      return "memory";
    case CacheTier::kDisk:
      return "disk";
    case CacheTier::kUncompiled:
      return "uncompiled";
  }
  return "";
}

struct Engine::State {
  State(const Compiler* compiler_in, CubinStore* disk_in, std::int64_t memory_bytes)
      : compiler(compiler_in), disk(disk_in), memory(memory_bytes) {}

  absl::StatusOr<Built> Build(const CanonicalSpec& canonical, const std::string& lookup_key, const ConfigPin& pin,
                              const DeviceLimits& limits, const Assumptions& assumptions, absl::Time deadline);

  const CountingCompiler compiler;
  CubinStore* const disk;
  KernelMemory memory;
  SingleFlight<Built> flights;
  std::atomic<std::int64_t> memory_hits{0}, disk_hits{0}, rejected_candidates{0}, joined_flights{0};
};

// The first candidate that builds cleanly, in the order of their rank; then kept in memory.
absl::StatusOr<Built> Engine::State::Build(const CanonicalSpec& canonical, const std::string& lookup_key,
                                           const ConfigPin& pin, const DeviceLimits& limits,
                                           const Assumptions& assumptions, absl::Time deadline) {
  if (auto kernel = memory.Find(lookup_key)) return Built{.kernel = std::move(kernel), .tier = CacheTier::kMemory};
  GEMMD_ASSIGN_OR_RETURN(const std::vector<KernelConfig> configs,
                         RankConfigs(canonical.graph, limits, pin, assumptions));
  GEMMD_ASSIGN_OR_RETURN(const std::string identity, compiler.Identity());
  std::vector<std::string> rejections;
  for (const KernelConfig& config : configs) {
    if (absl::Now() >= deadline) return DeadlineExceeded("no candidate was built in time");
    GEMMD_ASSIGN_OR_RETURN(PlannedKernel planned, PlanCandidate(canonical, config, limits, assumptions, identity));
    planned.plan.reasons.insert(planned.plan.reasons.end(), rejections.begin(), rejections.end());
    absl::StatusOr<BuiltCandidate> built = BuildCandidate(std::move(planned), compiler, disk, deadline);
    if (built.ok()) {
      memory.Insert(lookup_key, built->kernel);
      if (built->from_disk) ++disk_hits;
      return Built{.kernel = built->kernel, .tier = built->from_disk ? CacheTier::kDisk : CacheTier::kNone};
    }
    if (!absl::IsFailedPrecondition(built.status())) return built.status();
    ++rejected_candidates;
    rejections.push_back(fmt::format("passed over {} {}x{}x{}: {}", Name(config.family), config.tile_m, config.tile_n,
                                     config.tile_k, MessageOf(built.status())));
  }
  return Internal("none of {} candidates builds cleanly; {}", configs.size(), rejections.back());
}

Engine::Engine(const Compiler* compiler, CubinStore* disk, std::int64_t memory_bytes)
    : state_(std::make_unique<State>(compiler, disk, memory_bytes)) {}

Engine::~Engine() = default;

absl::StatusOr<PlannedKernel> Engine::Plan(const KernelSpec& spec, const DeviceLimits& limits,
                                           const Assumptions& assumptions) const {
  GEMMD_ASSIGN_OR_RETURN(const CanonicalSpec canonical, CanonicalizeValid(spec));
  GEMMD_ASSIGN_OR_RETURN(const std::vector<KernelConfig> configs,
                         RankConfigs(canonical.graph, limits, spec.config, assumptions));
  const absl::StatusOr<std::string> identity = state_->compiler.Identity();
  return PlanCandidate(canonical, configs.front(), limits, assumptions, identity.ok() ? *identity : std::string());
}

absl::StatusOr<CompileOutcome> Engine::Compile(const KernelSpec& spec, const DeviceLimits& limits,
                                               const Assumptions& assumptions, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(CanonicalSpec canonical, CanonicalizeValid(spec));
  const std::string key = LookupKey(SpecId(canonical.graph), limits, assumptions, spec.config);
  if (auto kernel = state_->memory.Find(key)) {
    ++state_->memory_hits;
    return CompileOutcome{
        .kernel = std::move(kernel), .canonical = std::move(canonical), .tier = CacheTier::kMemory, .uncompiled = {}};
  }
  auto landing = state_->flights.Do(
      key, deadline, [&] { return state_->Build(canonical, key, spec.config, limits, assumptions, deadline); });
  if (landing.joined) ++state_->joined_flights;
  if (!landing.result.ok()) return landing.result.status();
  return CompileOutcome{.kernel = landing.result->kernel,
                        .canonical = std::move(canonical),
                        .tier = landing.result->tier,
                        .uncompiled = {}};
}

absl::StatusOr<std::shared_ptr<const CompiledKernel>> Engine::Find(std::string_view plan_id) const {
  if (auto kernel = state_->memory.FindPlan(plan_id)) return kernel;
  return NotFound("plan_id {}: not compiled by this daemon, or evicted; compile its spec again", Quote(plan_id));
}

std::vector<KernelUse> Engine::KernelsInMemory() const { return state_->memory.List(); }

std::int64_t Engine::DropFromMemory(const std::function<bool(const KernelUse&)>& forget) {
  return state_->memory.RemoveIf(forget);
}

EngineStats Engine::stats() const {
  return {.compiler = state_->compiler.stats(),
          .memory_hits = state_->memory_hits,
          .disk_hits = state_->disk_hits,
          .rejected_candidates = state_->rejected_candidates,
          .joined_flights = state_->joined_flights,
          .memory = state_->memory.stats()};
}

}  // namespace gemmd
