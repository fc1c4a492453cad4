#include "engine/candidate.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "base/status.h"
#include "engine/cubin_key.h"
#include "engine/cubin_record.h"

namespace gemmd {
namespace {

// The cubin as it was when it was compiled, from a cache entry. Nothing when the entry is not for `arch` or unreadable.
std::optional<Cubin> CubinFrom(const CacheEntry& entry, const Arch& arch) {
  const absl::StatusOr<CubinRecord> record = RecordFromJson(entry.metadata);
  if (!record.ok() || record->arch != Name(arch) || entry.cubin.empty()) return std::nullopt;
  return Cubin{.image = entry.cubin, .log = record->log, .usage = record->usage, .compile_us = record->compile_us};
}

std::optional<Cubin> Fetch(CubinStore* disk, const PlannedKernel& planned) {
  if (disk == nullptr) return std::nullopt;
  const auto entry = disk->Get(planned.cubin_key);
  return entry.ok() ? CubinFrom(**entry, planned.plan.arch) : std::nullopt;
}

// A store that can't take the entry costs a compile at the next start, not this one.
void Keep(CubinStore* disk, const PlannedKernel& planned, const Cubin& cubin) {
  if (disk == nullptr) return;
  const CubinRecord record{.arch = Name(planned.plan.arch),
                           .spec_id = planned.spec_id,
                           .plan_id = planned.plan.plan_id,
                           .summary = Summary(planned.canonical.graph),
                           .schedule = ScheduleOf(planned.plan),
                           .compile_us = cubin.compile_us,
                           .usage = cubin.usage,
                           .log = cubin.log,
                           .verified = Verified::kUnverified};
  auto entry = std::make_shared<CacheEntry>(CacheEntry{.cubin = cubin.image, .metadata = RecordToJson(record)});
  const absl::Status kept = disk->Put(planned.cubin_key, std::move(entry));
  if (!kept.ok()) spdlog::warn("{} is compiled but not cached: {}", planned.cubin_key, MessageOf(kept));
}

}  // namespace

absl::StatusOr<PlannedKernel> PlanCandidate(const CanonicalSpec& canonical, const KernelConfig& config,
                                            const DeviceLimits& limits, const Assumptions& assumptions,
                                            std::string_view compiler_identity) {
  PlannedKernel planned{.canonical = canonical,
                        .spec_id = SpecId(canonical.graph),
                        .plan = PlanWith(canonical.graph, config, limits, assumptions),
                        .generated = {},
                        .cubin_key = {}};
  GEMMD_ASSIGN_OR_RETURN(planned.generated, Generate(canonical.graph, planned.plan.kernels.front()));
  if (compiler_identity.empty()) return planned;
  const std::string library = DeviceLibraryDigest(DeviceLibrary());
  planned.cubin_key = CubinKey({.source = planned.generated.source,
                                .device_library = library,
                                .options = StandardOptions(),
                                .compiler = compiler_identity,
                                .arch = limits.arch});
  return planned;
}

absl::StatusOr<BuiltCandidate> BuildCandidate(PlannedKernel planned, const Compiler& compiler, CubinStore* disk,
                                              absl::Time deadline) {
  std::optional<Cubin> cubin = Fetch(disk, planned);
  const bool from_disk = cubin.has_value();
  if (!from_disk) {
    const CompileRequest request{
        .source = planned.generated.source, .arch = planned.plan.arch, .options = StandardOptions()};
    GEMMD_ASSIGN_OR_RETURN(cubin, compiler.Compile(request, deadline));
    Keep(disk, planned, *cubin);
  }
  GEMMD_RETURN_IF_ERROR(CheckServable(*cubin));
  CompiledKernel kernel;
  kernel.manifest = MakeManifest(planned.canonical.graph, planned.plan, {planned.cubin_key});
  kernel.planned = std::move(planned);
  kernel.cubin = std::make_shared<const std::string>(std::move(cubin->image));
  kernel.usage = std::move(cubin->usage);
  kernel.log = std::move(cubin->log);
  kernel.compile_us = cubin->compile_us;
  return BuiltCandidate{.kernel = std::make_shared<const CompiledKernel>(std::move(kernel)), .from_disk = from_disk};
}

}  // namespace gemmd
