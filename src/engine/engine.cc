#include "engine/engine.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/request_scope.h"
#include "base/status.h"
#include "cache/single_flight.h"
#include "engine/candidate.h"
#include "engine/cubin_key.h"
#include "engine/lookup_key.h"
#include "plan/cost_model.h"
#include "plan/m_ranges.h"
#include "plan/row_kernels.h"
#include "spec/validate.h"
#include "tune/neighbours.h"

namespace gemmd {
namespace {

struct Built {
  std::shared_ptr<const CompiledSpec> compiled;
  CacheTier tier = CacheTier::kNone;
};

// A range of M with the configs to try, and why the first of them is not the model's.
struct Choice {
  RangeConfigs range;
  std::string reason;  // empty: it is the model's
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

// Of all kernels of a plan with that config.
double PredictedCycles(const KernelConfig& config, const Graph& whole, std::int64_t m, const DeviceLimits& limits) {
  Graph graph = whole;
  graph.m = m;
  const double product = EstimateCycles(config, ProductOf(graph, config.rows), limits);
  return config.rows == RowSchedule::kTwoKernels ? product + RowPassCycles(graph, limits) : product;
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
  State(const Compiler* compiler_in, CubinStore* disk_in, std::int64_t memory_bytes, const TunedConfigs* tuned_in)
      : compiler(compiler_in, &stages.of(Stage::kCompile)), disk(disk_in), tuned(tuned_in), memory(memory_bytes) {}

  absl::StatusOr<Built> Build(const Question& question, const Choice& choice, absl::Time deadline);
  absl::StatusOr<Built> BuildOnce(const Question& question, const Choice& choice, absl::Time deadline);
  absl::StatusOr<Built> BuildAll(const Question& question, const std::vector<Choice>& choices, absl::Time deadline);

  // Requires Completed assumptions.
  absl::StatusOr<std::vector<Choice>> Rank(const CanonicalSpec& canonical, const DeviceLimits& limits,
                                           const ConfigPin& pin, const Assumptions& assumptions,
                                           const TunedDevice& device);
  void TakeTuned(const CanonicalSpec& canonical, const DeviceLimits& limits, const Assumptions& assumptions,
                 const TuningKey& key, Choice& choice) const;
  TuningKey KeyOf(const CanonicalSpec& canonical, const Assumptions& assumptions, const MRange& m,
                  const TunedDevice& device) const {
    return {.spec_id = SpecId(canonical.graph),
            .promises = PromisesOf(assumptions),
            .m = m,
            .device = device,
            .device_library = device_library};
  }
  // How often the spec was forgotten: a part of every lookup key, so that a build that began before ends under the old
  // one.
  std::int64_t Generation(const std::string& spec_id) {
    const std::lock_guard lock(forgotten_mutex);
    const auto found = forgotten.find(spec_id);
    return found == forgotten.end() ? 0 : found->second;
  }
  absl::StatusOr<PlannedSpec> Generate(const CanonicalSpec& canonical, gemmd::Plan plan, std::string_view identity) {
    const ScopeTimer timer(stages.of(Stage::kGenerate));
    return PlanCandidate(canonical, std::move(plan), identity);
  }

  StageTimes stages;
  const CountingCompiler compiler;
  CubinStore* const disk;
  const TunedConfigs* const tuned;
  const std::string device_library = DeviceLibraryDigest(DeviceLibrary());
  KernelMemory memory;
  SingleFlight<Built> flights;
  std::atomic<std::int64_t> memory_hits{0}, disk_hits{0}, rejected_candidates{0}, joined_flights{0};
  std::mutex forgotten_mutex;
  std::unordered_map<std::string, std::int64_t> forgotten;  // how often, by spec_id
};

absl::StatusOr<std::vector<Choice>> Engine::State::Rank(const CanonicalSpec& canonical, const DeviceLimits& limits,
                                                        const ConfigPin& pin, const Assumptions& assumptions,
                                                        const TunedDevice& device) {
  const ScopeTimer timer(stages.of(Stage::kPlan));
  GEMMD_ASSIGN_OR_RETURN(std::vector<RangeConfigs> ranges, RankRanges(canonical.graph, limits, pin, assumptions));
  std::vector<Choice> choices;
  for (RangeConfigs& range : ranges) {
    Choice choice{.range = std::move(range), .reason = {}};
    if (tuned != nullptr && !device.name.empty() && pin == ConfigPin{}) {
      TakeTuned(canonical, limits, assumptions, KeyOf(canonical, assumptions, choice.range.m, device), choice);
    }
    choices.push_back(std::move(choice));
  }
  return choices;
}

// Puts the config of a record before the model's. One that is not legal, whoever wrote it, is none.
void Engine::State::TakeTuned(const CanonicalSpec& canonical, const DeviceLimits& limits,
                              const Assumptions& assumptions, const TuningKey& key, Choice& choice) const {
  const std::optional<TuningRecord> record = tuned->Find(key);
  if (!record) return;
  const absl::Status legal = CheckWholeConfig(record->config, canonical.graph, limits, assumptions);
  if (!legal.ok()) {
    spdlog::warn("a tuning record of {} is ignored: {}", key.spec_id, MessageOf(legal));
    return;
  }
  std::vector<KernelConfig>& configs = choice.range.configs;
  std::erase(configs, record->config);
  configs.insert(configs.begin(), record->config);
  const double time_us = static_cast<double>(record->time_ns) / 1000;
  if (record->config == record->first_pick) {
    choice.reason = fmt::format("tuned at M = {}: nothing is faster than the model's first pick, {}, in {:.2f} us",
                                record->shape.m, ScheduleOf(record->config), time_us);
    return;
  }
  choice.reason = fmt::format("tuned at M = {}: {} takes {:.2f} us, the model's first pick, {}, {:.2f} us",
                              record->shape.m, ScheduleOf(record->config), time_us, ScheduleOf(record->first_pick),
                              static_cast<double>(record->first_pick_time_ns) / 1000);
}

// The first candidate for a range that builds cleanly, in the order of their rank, or if none does, as may be where a
// config is pinned, the first of all; then kept in memory.
absl::StatusOr<Built> Engine::State::Build(const Question& question, const Choice& choice, absl::Time deadline) {
  const RangeConfigs& range = choice.range;
  if (auto compiled = memory.Find(question.lookup_key, range.m.min)) {
    return Built{.compiled = std::move(compiled), .tier = CacheTier::kMemory};
  }
  GEMMD_ASSIGN_OR_RETURN(const std::string identity, compiler.Identity());
  std::vector<std::string> rejections;
  const auto build = [&](const KernelConfig& config, Unclean unclean) -> absl::StatusOr<Built> {
    if (absl::Now() >= deadline) return DeadlineExceeded("no candidate was built in time");
    gemmd::Plan plan = PlanWith(question.canonical.graph, config, question.limits, question.assumptions, range.m);
    if (config == range.configs.front() && !choice.reason.empty()) plan.reasons.push_back(choice.reason);
    plan.reasons.insert(plan.reasons.end(), rejections.begin(), rejections.end());
    GEMMD_ASSIGN_OR_RETURN(PlannedSpec planned, Generate(question.canonical, std::move(plan), identity));
    GEMMD_ASSIGN_OR_RETURN(BuiltCandidate built, BuildCandidate(std::move(planned), compiler, disk, deadline, unclean));
    memory.Insert(question.lookup_key, built.compiled);
    disk_hits += built.disk_hits;
    return Built{.compiled = built.compiled, .tier = TierOf(built)};
  };
  for (const KernelConfig& config : range.configs) {
    absl::StatusOr<Built> built = build(config, Unclean::kRefused);
    if (!absl::IsFailedPrecondition(built.status())) return built;
    ++rejected_candidates;
    rejections.push_back(fmt::format("passed over {}: {}", ScheduleOf(config), MessageOf(built.status())));
  }
  rejections.push_back("taken all the same: no other is left");
  return build(range.configs.front(), Unclean::kTaken);
}

// Build, once however many ask.
absl::StatusOr<Built> Engine::State::BuildOnce(const Question& question, const Choice& choice, absl::Time deadline) {
  const std::string flight = fmt::format("{} {}", question.lookup_key, choice.range.m.min);
  auto landing = flights.Do(flight, deadline, [&] { return Build(question, choice, deadline); });
  if (landing.joined) ++joined_flights;
  return std::move(landing.result);
}

// Every range at once, joined; then kept in memory as a whole too. The compiler says how many compile side by side.
absl::StatusOr<Built> Engine::State::BuildAll(const Question& question, const std::vector<Choice>& choices,
                                              absl::Time deadline) {
  std::vector<absl::StatusOr<Built>> built(choices.size());
  std::vector<std::thread> others;
  const std::string request = RequestScope::Current();
  for (std::size_t i = 1; i < choices.size(); ++i) {
    others.emplace_back([&, i] {
      const RequestScope scope(request);
      built[i] = BuildOnce(question, choices[i], deadline);
    });
  }
  built[0] = BuildOnce(question, choices[0], deadline);
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

Engine::Engine(const Compiler* compiler, CubinStore* disk, std::int64_t memory_bytes, const TunedConfigs* tuned)
    : state_(std::make_unique<State>(compiler, disk, memory_bytes, tuned)) {}

Engine::~Engine() = default;

absl::StatusOr<PlannedSpec> Engine::Plan(const KernelSpec& spec, const DeviceLimits& limits,
                                         const Assumptions& assumptions, const TunedDevice& device) const {
  GEMMD_ASSIGN_OR_RETURN(const CanonicalSpec canonical, CanonicalizeValid(spec));
  const Assumptions completed = Completed(canonical.graph, assumptions);
  GEMMD_ASSIGN_OR_RETURN(const std::vector<Choice> choices,
                         state_->Rank(canonical, limits, spec.config, completed, device));
  std::vector<gemmd::Plan> plans;
  for (const Choice& choice : choices) {
    plans.push_back(PlanWith(canonical.graph, choice.range.configs.front(), limits, completed, choice.range.m));
    if (!choice.reason.empty()) plans.back().reasons.push_back(choice.reason);
  }
  const absl::StatusOr<std::string> identity = state_->compiler.Identity();
  return state_->Generate(canonical, Joined(canonical.graph, plans), identity.ok() ? *identity : std::string());
}

absl::StatusOr<CompileOutcome> Engine::Compile(const KernelSpec& spec, const DeviceLimits& limits,
                                               const Assumptions& assumptions, std::optional<std::int64_t> m,
                                               absl::Time deadline, const TunedDevice& device) {
  GEMMD_ASSIGN_OR_RETURN(CanonicalSpec canonical, CanonicalizeValid(spec));
  const Assumptions completed = Completed(canonical.graph, assumptions);
  const std::string spec_id = SpecId(canonical.graph);
  const std::string key = LookupKey({.spec_id = spec_id,
                                     .generation = state_->Generation(spec_id),
                                     .limits = limits,
                                     .assumptions = completed,
                                     .pin = spec.config,
                                     .device = device});
  if (auto compiled = state_->memory.Find(key, m)) {
    ++state_->memory_hits;
    return CompileOutcome{.compiled = std::move(compiled),
                          .canonical = std::move(canonical),
                          .tier = CacheTier::kMemory,
                          .uncompiled = {}};
  }
  GEMMD_ASSIGN_OR_RETURN(std::vector<Choice> choices, state_->Rank(canonical, limits, spec.config, completed, device));
  if (m) std::erase_if(choices, [&](const Choice& choice) { return !choice.range.m.Contains(*m); });
  const Question question{.canonical = canonical, .lookup_key = key, .limits = limits, .assumptions = completed};
  GEMMD_ASSIGN_OR_RETURN(Built built, state_->BuildAll(question, choices, deadline));
  return CompileOutcome{
      .compiled = std::move(built.compiled), .canonical = std::move(canonical), .tier = built.tier, .uncompiled = {}};
}

absl::StatusOr<PlanExplanation> Engine::Explain(const KernelSpec& spec, const DeviceLimits& limits,
                                                const Assumptions& assumptions, const GemmShape& shape,
                                                const TunedDevice& device) const {
  GEMMD_ASSIGN_OR_RETURN(const CanonicalSpec canonical, CanonicalizeValid(spec));
  const Assumptions completed = Completed(canonical.graph, assumptions);
  GEMMD_ASSIGN_OR_RETURN(const std::vector<Choice> choices,
                         state_->Rank(canonical, limits, spec.config, completed, device));
  PlanExplanation explanation{.facts = FactsOf(canonical.graph, shape), .m = {}, .ranking = {}};
  for (const Choice& choice : choices) {
    if (!choice.range.m.Contains(shape.m)) continue;
    explanation.m = choice.range.m;
    std::optional<TuningRecord> record;
    if (state_->tuned != nullptr && !device.name.empty()) {
      record = state_->tuned->Find(state_->KeyOf(canonical, completed, choice.range.m, device));
    }
    for (const KernelConfig& config : choice.range.configs) {
      ExplainedConfig& explained = explanation.ranking.emplace_back();
      explained.config = config;
      explained.predicted_cycles = PredictedCycles(config, canonical.graph, shape.m, limits);
      if (record && config == record->first_pick) explained.measured_ns = record->first_pick_time_ns;
      if (record && config == record->config) explained.measured_ns = record->time_ns;
    }
  }
  return explanation;
}

absl::StatusOr<TuningQuestion> Engine::AskToTune(const KernelSpec& spec, const DeviceLimits& limits,
                                                 const Assumptions& assumptions, std::int64_t m,
                                                 const TunedDevice& device) const {
  GEMMD_ASSIGN_OR_RETURN(const CanonicalSpec canonical, CanonicalizeValid(spec));
  if (spec.config != ConfigPin{}) return InvalidArgument("config: what it pins can't be tuned; leave it out");
  TuningQuestion question{.canonical = canonical,
                          .assumptions = Completed(canonical.graph, assumptions),
                          .limits = limits,
                          .key = {},
                          .range = {}};
  GEMMD_ASSIGN_OR_RETURN(std::vector<RangeConfigs> ranges,
                         RankRanges(canonical.graph, limits, ConfigPin{}, question.assumptions));
  for (RangeConfigs& range : ranges) {
    if (range.m.Contains(m)) question.range = std::move(range);
  }
  question.key = state_->KeyOf(canonical, question.assumptions, question.range.m, device);
  return question;
}

absl::StatusOr<PlannedSpec> Engine::PlanConfig(const TuningQuestion& question, const KernelConfig& config) const {
  const absl::StatusOr<std::string> identity = state_->compiler.Identity();
  return state_->Generate(
      question.canonical,
      PlanWith(question.canonical.graph, config, question.limits, question.assumptions, question.range.m),
      identity.ok() ? *identity : std::string());
}

absl::StatusOr<std::shared_ptr<const CompiledSpec>> Engine::BuildConfig(const TuningQuestion& question,
                                                                        const KernelConfig& config,
                                                                        absl::Time deadline) {
  GEMMD_RETURN_IF_ERROR(state_->compiler.Identity().status());
  GEMMD_ASSIGN_OR_RETURN(PlannedSpec planned, PlanConfig(question, config));
  GEMMD_ASSIGN_OR_RETURN(BuiltCandidate built,
                         BuildCandidate(std::move(planned), state_->compiler, state_->disk, deadline));
  return std::move(built.compiled);
}

void Engine::Forget(std::string_view spec_id) {
  {
    const std::lock_guard lock(state_->forgotten_mutex);
    ++state_->forgotten[std::string(spec_id)];
  }
  DropFromMemory([&](const KernelUse& use) { return use.kernel->planned.spec_id == spec_id; });
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
