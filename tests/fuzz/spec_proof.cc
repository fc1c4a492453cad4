#include "tests/fuzz/spec_proof.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/status.h"
#include "client/tensor/parallel.h"
#include "engine/candidate.h"
#include "plan/m_ranges.h"
#include "spec/spec_json.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

constexpr double kReferenceMacs = 1 << 28;        // for the product of the rows that are recomputed
constexpr double kReferenceOperations = 1 << 22;  // of their chains

// What became of one problem.
struct Verdict {
  std::string reason;  // why it failed; empty: it did not
  std::string spec;
  std::string family, dtype;
  std::set<std::string> features;
  std::vector<std::string> passed_over;
};

// Rows to recompute: all of a small result, else as many as the time allows.
std::int64_t RowsWorth(const DeviceProblem& problem, const GemmShape& shape) {
  const double columns = static_cast<double>(std::max<std::int64_t>(shape.n, 1));
  const double macs = columns * static_cast<double>(std::max<std::int64_t>(shape.k, 1));
  const double operations = columns * static_cast<double>(problem.spec.epilogue.size());
  return std::max<std::int64_t>(
      64, static_cast<std::int64_t>(std::min(kReferenceMacs / macs, kReferenceOperations / operations)));
}

struct Candidate {
  CanonicalSpec canonical;
  std::shared_ptr<const CompiledSpec> compiled;
  std::vector<std::string> passed_over;  // what did not build cleanly, and why
};

std::string Describe(const KernelConfig& config) {
  return fmt::format("{} {}x{}x{} micro {}x{} stages {}", Name(config.family), config.tile_m, config.tile_n,
                     config.tile_k, config.micro_m, config.micro_n, config.stages);
}

// The configs for the launch's M.
absl::StatusOr<RangeConfigs> RangeOf(const RandomProblem& drawn, const Graph& graph, const DeviceLimits& limits) {
  GEMMD_ASSIGN_OR_RETURN(const GemmShape shape, ResolveShape(drawn.problem.spec, drawn.problem.dims));
  GEMMD_ASSIGN_OR_RETURN(const std::vector<RangeConfigs> ranges,
                         RankRanges(graph, limits, drawn.problem.spec.config, drawn.assumptions));
  return *std::ranges::find_if(ranges, [&](const RangeConfigs& range) { return range.m.Contains(shape.m); });
}

// The kernel that an engine would serve: the first candidate that builds cleanly, or the first of all if none does.
absl::StatusOr<Candidate> Build(const RandomProblem& drawn, const DeviceLimits& limits, const Compiler* compiler) {
  const KernelSpec& spec = drawn.problem.spec;
  Candidate candidate{.canonical = Canonicalize(spec), .compiled = nullptr, .passed_over = {}};
  const Graph& graph = candidate.canonical.graph;
  GEMMD_ASSIGN_OR_RETURN(const RangeConfigs range, RangeOf(drawn, graph, limits));
  const auto plan = [&](const KernelConfig& config) {
    return PlanCandidate(candidate.canonical, PlanWith(graph, config, limits, drawn.assumptions, range.m), "");
  };
  if (compiler == nullptr) {
    CompiledSpec compiled;
    GEMMD_ASSIGN_OR_RETURN(compiled.planned, plan(range.configs.front()));
    compiled.manifest = MakeManifest(graph, compiled.planned.plan, CubinKeys(compiled.planned));
    candidate.compiled = std::make_shared<const CompiledSpec>(std::move(compiled));
    return candidate;
  }
  const auto build = [&](const KernelConfig& config, Unclean unclean) -> absl::Status {
    GEMMD_ASSIGN_OR_RETURN(PlannedSpec planned, plan(config));
    GEMMD_ASSIGN_OR_RETURN(const BuiltCandidate built,
                           BuildCandidate(std::move(planned), *compiler, nullptr, absl::InfiniteFuture(), unclean));
    candidate.compiled = built.compiled;
    return absl::OkStatus();
  };
  for (const KernelConfig& config : range.configs) {
    const absl::Status built = build(config, Unclean::kRefused);
    if (!absl::IsFailedPrecondition(built)) {
      GEMMD_RETURN_IF_ERROR(built);
      return candidate;
    }
    candidate.passed_over.push_back(fmt::format("{}: {}", Describe(config), MessageOf(built)));
  }
  GEMMD_RETURN_IF_ERROR(build(range.configs.front(), Unclean::kTaken));
  return candidate;
}

std::string Describe(const ElementCheck& worst) {
  return fmt::format("{}[{}, {}] is {}, not {} +- {}", worst.output, worst.row, worst.column, worst.got, worst.expected,
                     worst.tolerance);
}

// Empty when everything is as it should be.
absl::StatusOr<std::string> Run(const RandomProblem& drawn, const Candidate& candidate, Device& device) {
  const DeviceProblem& problem = drawn.problem;
  GEMMD_ASSIGN_OR_RETURN(const LaunchSignature signature,
                         ResolveSignature(problem.spec, candidate.canonical, problem.dims, problem.scalars));
  const DeviceRunOptions options{.rows = RowsWorth(problem, signature.shape), .threads = 1};
  GEMMD_ASSIGN_OR_RETURN(const DeviceRunOutcome outcome,
                         RunProblem(device, *candidate.compiled, candidate.canonical, problem, options));
  if (!outcome.damage.empty()) return outcome.damage;
  if (outcome.report.verified) return std::string();
  return fmt::format("{} elements of {} rows differ, worst {}", outcome.report.mismatches, outcome.report.rows,
                     Describe(outcome.report.worst));
}

// Draws problem `index` and lets `judge` say what is wrong with it.
template <typename Judge>
Verdict VerdictOn(const DrawOptions& options, std::int64_t index, Judge judge) {
  Verdict verdict;
  const absl::StatusOr<RandomProblem> drawn = DrawProblem(options, index);
  if (!drawn.ok()) {
    verdict.reason = drawn.status().ToString();
    return verdict;
  }
  const KernelSpec& spec = drawn->problem.spec;
  verdict.spec = WriteSpecJson(spec);
  verdict.dtype = Name(spec.inputs.at(spec.matmul_a).dtype);
  verdict.features = drawn->features;
  const absl::StatusOr<std::string> reason = judge(*drawn, verdict);
  verdict.reason = reason.ok() ? *reason : reason.status().ToString();
  return verdict;
}

absl::StatusOr<Candidate> BuildFor(const RandomProblem& drawn, const DeviceLimits& limits, const Compiler* compiler,
                                   Verdict& verdict) {
  absl::StatusOr<Candidate> candidate = Build(drawn, limits, compiler);
  if (!candidate.ok()) return candidate;
  verdict.family = Name(candidate->compiled->planned.plan.kernels.back().config.family);
  verdict.passed_over = candidate->passed_over;
  return candidate;
}

ProofReport ReportOn(const ProofOptions& options, const std::function<Verdict(std::int64_t)>& judge) {
  std::vector<Verdict> verdicts(static_cast<std::size_t>(options.count));
  ParallelFor(options.count, options.jobs,
              [&](std::int64_t i) { verdicts[static_cast<std::size_t>(i)] = judge(options.first + i); });
  ProofReport report;
  report.specs = options.count;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    Verdict& verdict = verdicts[i];
    for (const std::string& feature : verdict.features) ++report.features[feature];
    if (!verdict.family.empty()) ++report.families[verdict.family];
    if (!verdict.dtype.empty()) ++report.dtypes[verdict.dtype];
    for (const std::string& candidate : verdict.passed_over) {
      report.passed_over.push_back(fmt::format("{}: {}", options.first + static_cast<std::int64_t>(i), candidate));
    }
    if (verdict.reason.empty()) {
      ++report.verified;
    } else {
      report.failed.push_back(
          {options.first + static_cast<std::int64_t>(i), std::move(verdict.reason), std::move(verdict.spec)});
    }
  }
  return report;
}

}  // namespace

ProofReport ProveOnDevice(const ProofOptions& options, Device& device, const Compiler* compiler) {
  return ReportOn(options, [&](std::int64_t index) {
    return VerdictOn(
        options.draw, index, [&](const RandomProblem& drawn, Verdict& verdict) -> absl::StatusOr<std::string> {
          GEMMD_ASSIGN_OR_RETURN(const Candidate candidate, BuildFor(drawn, options.draw.limits, compiler, verdict));
          return Run(drawn, candidate, device);
        });
  });
}

ProofReport ProveCompiles(const ProofOptions& options, const Compiler& compiler) {
  return ReportOn(options, [&](std::int64_t index) {
    return VerdictOn(options.draw, index, [&](const RandomProblem& drawn, Verdict& verdict) {
      const absl::StatusOr<Candidate> candidate = BuildFor(drawn, options.draw.limits, &compiler, verdict);
      return candidate.ok() ? absl::StatusOr<std::string>("") : candidate.status();
    });
  });
}

}  // namespace gemmd
