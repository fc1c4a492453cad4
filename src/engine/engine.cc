#include "engine/engine.h"

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/request_scope.h"
#include "base/status.h"
#include "cache/single_flight.h"
#include "engine/candidate.h"
#include "engine/lookup_key.h"
#include "plan/m_ranges.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

struct Built {
  std::shared_ptr<const CompiledSpec> compiled;
  CacheTier tier = CacheTier::kNone;
};

// A question as the tiers see it.
struct Question {
  CanonicalSpec canonical;
  std::string lookup_key;
  DeviceLimits limits;
  Assumptions assumptions;
};

CacheTier TierOf(const BuiltCandidate& built) { return built.compiles > 0 ? CacheTier::kNone : CacheTier::kDisk; }

// The tier of what came from both: the slower one.
CacheTier Slower(CacheTier a, CacheTier b) {
  for (const CacheTier tier : {CacheTier::kNone, CacheTier::kDisk}) {
    if (a == tier || b == tier) return tier;
  }
  return CacheTier::kMemory;
}

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
      : compiler(compiler_in, &stages.of(Stage::kCompile)), disk(disk_in), memory(memory_bytes) {}

  absl::StatusOr<Built> Build(const Question& question, const RangeConfigs& range, absl::Time deadline);
  absl::StatusOr<Built> BuildOnce(const Question& question, const RangeConfigs& range, absl::Time deadline);
  absl::StatusOr<Built> BuildAll(const Question& question, const std::vector<RangeConfigs>& ranges,
                                 absl::Time deadline);

  absl::StatusOr<std::vector<RangeConfigs>> Rank(const CanonicalSpec& canonical, const DeviceLimits& limits,
                                                 const ConfigPin& pin, const Assumptions& assumptions) {
    const ScopeTimer timer(stages.of(Stage::kPlan));
    return RankRanges(canonical.graph, limits, pin, assumptions);
  }
  absl::StatusOr<PlannedSpec> Generate(const CanonicalSpec& canonical, gemmd::Plan plan, std::string_view identity) {
    const ScopeTimer timer(stages.of(Stage::kGenerate));
    return PlanCandidate(canonical, std::move(plan), identity);
  }

  StageTimes stages;
  const CountingCompiler compiler;
  CubinStore* const disk;
  KernelMemory memory;
  SingleFlight<Built> flights;
  std::atomic<std::int64_t> memory_hits{0}, disk_hits{0}, rejected_candidates{0}, joined_flights{0};
};

// The first candidate for a range that builds cleanly, in the order of their rank; then kept in memory.
absl::StatusOr<Built> Engine::State::Build(const Question& question, const RangeConfigs& range, absl::Time deadline) {
  if (auto compiled = memory.Find(question.lookup_key, range.m.min)) {
    return Built{.compiled = std::move(compiled), .tier = CacheTier::kMemory};
  }
  GEMMD_ASSIGN_OR_RETURN(const std::string identity, compiler.Identity());
  std::vector<std::string> rejections;
  for (const KernelConfig& config : range.configs) {
    if (absl::Now() >= deadline) return DeadlineExceeded("no candidate was built in time");
    gemmd::Plan plan = PlanWith(question.canonical.graph, config, question.limits, question.assumptions, range.m);
    plan.reasons.insert(plan.reasons.end(), rejections.begin(), rejections.end());
    GEMMD_ASSIGN_OR_RETURN(PlannedSpec planned, Generate(question.canonical, std::move(plan), identity));
    absl::StatusOr<BuiltCandidate> built = BuildCandidate(std::move(planned), compiler, disk, deadline);
    if (built.ok()) {
      memory.Insert(question.lookup_key, built->compiled);
      disk_hits += built->disk_hits;
      return Built{.compiled = built->compiled, .tier = TierOf(*built)};
    }
    if (!absl::IsFailedPrecondition(built.status())) return built.status();
    ++rejected_candidates;
    rejections.push_back(fmt::format("passed over {} {}x{}x{}: {}", Name(config.family), config.tile_m, config.tile_n,
                                     config.tile_k, MessageOf(built.status())));
  }
  return Internal("none of {} candidates builds cleanly; {}", range.configs.size(), rejections.back());
}

// Build, once however many ask.
absl::StatusOr<Built> Engine::State::BuildOnce(const Question& question, const RangeConfigs& range,
                                               absl::Time deadline) {
  const std::string flight = fmt::format("{} {}", question.lookup_key, range.m.min);
  auto landing = flights.Do(flight, deadline, [&] { return Build(question, range, deadline); });
  if (landing.joined) ++joined_flights;
  return std::move(landing.result);
}

// Every range at once, joined; then kept in memory as a whole too. The compiler says how many compile side by side.
absl::StatusOr<Built> Engine::State::BuildAll(const Question& question, const std::vector<RangeConfigs>& ranges,
                                              absl::Time deadline) {
  std::vector<absl::StatusOr<Built>> built(ranges.size());
  std::vector<std::thread> others;
  const std::string request = RequestScope::Current();
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    others.emplace_back([&, i] {
      const RequestScope scope(request);
      built[i] = BuildOnce(question, ranges[i], deadline);
    });
  }
  built[0] = BuildOnce(question, ranges[0], deadline);
  for (std::thread& thread : others) thread.join();
  std::vector<std::shared_ptr<const CompiledSpec>> parts;
  CacheTier tier = CacheTier::kMemory;
  for (const absl::StatusOr<Built>& part : built) {
    if (!part.ok()) return part.status();
    parts.push_back(part->compiled);
    tier = Slower(tier, part->tier);
  }
  if (parts.size() == 1) return Built{.compiled = parts.front(), .tier = tier};
  auto whole = std::make_shared<const CompiledSpec>(Joined(parts));
  memory.Insert(question.lookup_key, whole);
  return Built{.compiled = std::move(whole), .tier = tier};
}

Engine::Engine(const Compiler* compiler, CubinStore* disk, std::int64_t memory_bytes)
    : state_(std::make_unique<State>(compiler, disk, memory_bytes)) {}

Engine::~Engine() = default;

absl::StatusOr<PlannedSpec> Engine::Plan(const KernelSpec& spec, const DeviceLimits& limits,
                                         const Assumptions& assumptions) const {
  GEMMD_ASSIGN_OR_RETURN(const CanonicalSpec canonical, CanonicalizeValid(spec));
  GEMMD_ASSIGN_OR_RETURN(const std::vector<RangeConfigs> ranges,
                         state_->Rank(canonical, limits, spec.config, assumptions));
  std::vector<gemmd::Plan> plans;
  for (const RangeConfigs& range : ranges) {
    plans.push_back(PlanWith(canonical.graph, range.configs.front(), limits, assumptions, range.m));
  }
  const absl::StatusOr<std::string> identity = state_->compiler.Identity();
  return state_->Generate(canonical, Joined(canonical.graph, plans), identity.ok() ? *identity : std::string());
}

absl::StatusOr<CompileOutcome> Engine::Compile(const KernelSpec& spec, const DeviceLimits& limits,
                                               const Assumptions& assumptions, std::optional<std::int64_t> m,
                                               absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(CanonicalSpec canonical, CanonicalizeValid(spec));
  const Assumptions completed = Completed(canonical.graph, assumptions);
  const std::string key = LookupKey(SpecId(canonical.graph), limits, completed, spec.config);
  if (auto compiled = state_->memory.Find(key, m)) {
    ++state_->memory_hits;
    return CompileOutcome{.compiled = std::move(compiled),
                          .canonical = std::move(canonical),
                          .tier = CacheTier::kMemory,
                          .uncompiled = {}};
  }
  GEMMD_ASSIGN_OR_RETURN(std::vector<RangeConfigs> ranges, state_->Rank(canonical, limits, spec.config, completed));
  if (m) std::erase_if(ranges, [&](const RangeConfigs& range) { return !range.m.Contains(*m); });
  const Question question{.canonical = canonical, .lookup_key = key, .limits = limits, .assumptions = completed};
  GEMMD_ASSIGN_OR_RETURN(Built built, state_->BuildAll(question, ranges, deadline));
  return CompileOutcome{
      .compiled = std::move(built.compiled), .canonical = std::move(canonical), .tier = built.tier, .uncompiled = {}};
}

absl::StatusOr<std::shared_ptr<const CompiledSpec>> Engine::Find(std::string_view plan_id) const {
  if (auto compiled = state_->memory.FindPlan(plan_id)) return compiled;
  return NotFound("plan_id {}: not compiled by this daemon, or evicted; compile its spec again", Quote(plan_id));
}

std::vector<KernelUse> Engine::KernelsInMemory() const { return state_->memory.List(); }

std::int64_t Engine::DropFromMemory(const std::function<bool(const KernelUse&)>& forget) {
  return state_->memory.RemoveIf(forget);
}

StageTimes& Engine::stages() const { return state_->stages; }

EngineStats Engine::stats() const {
  return {.compiler = state_->compiler.stats(),
          .memory_hits = state_->memory_hits,
          .disk_hits = state_->disk_hits,
          .rejected_candidates = state_->rejected_candidates,
          .joined_flights = state_->joined_flights,
          .memory = state_->memory.stats()};
}

}  // namespace gemmd
