// The pipeline, wired: spec to plan to source to cubin to a loaded kernel. Knows nothing of gRPC.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/cubin_store.h"
#include "codegen/generate.h"
#include "compile/compiler.h"
#include "plan/manifest.h"
#include "runtime/device.h"

namespace gemmd {

// Which tier answered a request for a kernel.
enum class CacheTier { kNone, kMemory, kDisk };  // kNone: it was compiled
std::string_view Name(CacheTier tier);           // "compiled", "memory", "disk"

struct PlannedKernel {
  CanonicalSpec canonical;
  std::string spec_id;
  Plan plan;
  GeneratedKernel generated;  // of the plan's (only) kernel
  std::string cubin_key;
};

struct CompiledKernel {
  PlannedKernel planned;
  Manifest manifest;  // with the user's names left empty
  std::shared_ptr<const std::string> cubin;
  std::vector<ResourceUsage> usage;
  std::string log;
  std::int64_t compile_us = 0;  // of the compile that made it, also when a cache answered
};

struct CompileOutcome {
  std::shared_ptr<const CompiledKernel> kernel;
  CanonicalSpec canonical;  // of the request: this request's names
  CacheTier tier = CacheTier::kNone;
};

struct EngineStats {
  std::int64_t compiles = 0, memory_hits = 0, disk_hits = 0, rejected_candidates = 0, joined_flights = 0;
};

// Thread-safe.
class Engine {
 public:
  // `compiler` and `disk` outlive the engine; `disk` may be null. `memory_bytes` bounds the memory tier.
  Engine(const Compiler* compiler, CubinStore* disk, std::int64_t memory_bytes);
  ~Engine();

  // Validate, canonicalise, rank and generate for the first-ranked config. Compiles nothing.
  absl::StatusOr<PlannedKernel> Plan(const KernelSpec& spec, const DeviceLimits& limits,
                                     const Assumptions& assumptions) const;

  // The kernel of a spec: from memory, from disk, or compiled, once however many ask (single flight).
  // Candidates that do not build cleanly are passed over. Errors: Validate's, Compiler's.
  absl::StatusOr<CompileOutcome> Compile(const KernelSpec& spec, const DeviceLimits& limits,
                                         const Assumptions& assumptions, absl::Time deadline);

  // A kernel compiled or fetched earlier in this process, by its plan_id. Errors: NotFound.
  absl::StatusOr<std::shared_ptr<const CompiledKernel>> Find(std::string_view plan_id) const;

  EngineStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gemmd
