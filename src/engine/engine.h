// The pipeline, wired: spec to plan to source to cubin. Knows nothing of devices or gRPC.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/cubin_store.h"
#include "compile/compiler.h"
#include "compile/counting_compiler.h"
#include "engine/compiled_spec.h"
#include "engine/kernel_memory.h"
#include "engine/stage_times.h"
#include "plan/facts.h"
#include "plan/m_ranges.h"
#include "spec/kernel_spec.h"
#include "tune/tuning_record.h"

namespace gemmd {

// Which tier answered a request for a kernel.
enum class CacheTier {
  kNone,  // it was compiled
  kMemory,
  kDisk,
  kUncompiled,  // planned only: the host device computes without a cubin where there is no compiler
};
std::string_view Name(CacheTier tier);  // "compiled", "memory", "disk", "uncompiled"

struct CompileOutcome {
  std::shared_ptr<const CompiledSpec> compiled;
  CanonicalSpec canonical;  // of the request: this request's names
  CacheTier tier = CacheTier::kNone;
  std::string uncompiled;  // why, where the tier is kUncompiled
};

// Kernels compiled and found, each kernel of a spec by itself.
struct EngineStats {
  CompilerStats compiler;  // of candidates that were then rejected, too
  std::int64_t memory_hits = 0, disk_hits = 0, rejected_candidates = 0, joined_flights = 0;
  KernelMemoryStats memory;
};

// What there is to tune: a spec for launches of one M on one device.
struct TuningQuestion {
  CanonicalSpec canonical;
  Assumptions assumptions;
  DeviceLimits limits;
  TuningKey key;
  RangeConfigs range;  // around M, with the model's own ranking
};

// A config of a ranking, predicted against measured.
struct ExplainedConfig {
  KernelConfig config;
  double predicted_cycles = 0;   // SM clock cycles, by the cost model (plan/cost_model.h)
  std::int64_t measured_ns = 0;  // by the record for the question; 0: there is none of it
};

// Why a plan is as it is, for launches of one shape.
struct PlanExplanation {
  PlanFacts facts;
  MRange m;                              // that the ranking is for
  std::vector<ExplainedConfig> ranking;  // what is tried, in that order: the first that builds cleanly serves
};

// Thread-safe.
class Engine {
 public:
  // `compiler`, `disk` and `tuned` outlive the engine; the last two may be null. `memory_bytes` bounds the memory tier.
  Engine(const Compiler* compiler, CubinStore* disk, std::int64_t memory_bytes, const TunedConfigs* tuned = nullptr);
  ~Engine();

  // Validate, canonicalise, rank and generate for the first-ranked config of every range of M. Compiles nothing;
  // without a compiler the cubin keys are empty. A config that was tuned for `device` comes before the model's, unless
  // the spec pins one, and Plan::reasons says so. Errors: Validate's, RankConfigs'.
  absl::StatusOr<PlannedSpec> Plan(const KernelSpec& spec, const DeviceLimits& limits, const Assumptions& assumptions,
                                   const TunedDevice& device = {}) const;

  // The kernels of a spec: from memory, from disk, or compiled, once however many ask (single flight). With `m` (at
  // least 0), those for a launch of that M: where M is dynamic the plan is of the range around it alone, so that a
  // first launch waits for no other range's kernels. Without, those for every M, all ranges at once. A candidate that
  // does not build cleanly is passed over, and Plan::reasons says so. As in Plan, what was tuned for `device` comes
  // first. If none builds cleanly the first serves all the same. Errors: Validate's, RankConfigs', Compiler's.
  absl::StatusOr<CompileOutcome> Compile(const KernelSpec& spec, const DeviceLimits& limits,
                                         const Assumptions& assumptions, std::optional<std::int64_t> m,
                                         absl::Time deadline, const TunedDevice& device = {});

  // Of the plan that launches of that shape get. Errors: Plan's.
  absl::StatusOr<PlanExplanation> Explain(const KernelSpec& spec, const DeviceLimits& limits,
                                          const Assumptions& assumptions, const GemmShape& shape,
                                          const TunedDevice& device) const;

  // Errors: Validate's, RankConfigs'; InvalidArgument (the spec pins a config).
  absl::StatusOr<TuningQuestion> AskToTune(const KernelSpec& spec, const DeviceLimits& limits,
                                           const Assumptions& assumptions, std::int64_t m,
                                           const TunedDevice& device) const;
  // The kernels with that config, from disk or compiled; not kept in memory. Errors: Compiler's; FailedPrecondition (it
  // does not build cleanly).
  absl::StatusOr<std::shared_ptr<const CompiledSpec>> BuildConfig(const TuningQuestion& question,
                                                                  const KernelConfig& config, absl::Time deadline);
  // The same planned alone, for a device that takes no cubins.
  absl::StatusOr<PlannedSpec> PlanConfig(const TuningQuestion& question, const KernelConfig& config) const;
  // After records of the spec have changed: its kernels are looked for anew. Those in use live on with their users.
  void Forget(std::string_view spec_id);

  // What the memory tier holds, by its plan_id. Errors: NotFound.
  absl::StatusOr<std::shared_ptr<const CompiledSpec>> Find(std::string_view plan_id) const;

  // What the memory tier holds, the most recently used first.
  std::vector<KernelUse> KernelsInMemory() const;
  // Forgets those for which `forget` is true; returns how many there were.
  std::int64_t DropFromMemory(const std::function<bool(const KernelUse&)>& forget);

  EngineStats stats() const;
  // Of the stages here; whoever does the others records them here too.
  StageTimes& stages() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gemmd
