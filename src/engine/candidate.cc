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

std::optional<Cubin> Fetch(CubinStore* disk, const PlannedModule& module, const Arch& arch) {
  if (disk == nullptr) return std::nullopt;
  const auto entry = disk->Get(module.cubin_key);
  return entry.ok() ? CubinFrom(**entry, arch) : std::nullopt;
}

// A store that can't take the entry costs a compile at the next start, not this one.
void Keep(CubinStore* disk, const PlannedSpec& planned, std::size_t index, const Cubin& cubin) {
  if (disk == nullptr) return;
  const CubinRecord record{.arch = Name(planned.plan.arch),
                           .spec_id = planned.spec_id,
                           .plan_id = planned.plan.plan_id,
                           .summary = Summary(planned.canonical.graph),
                           .schedule = ScheduleOf(planned.plan.kernels[index].config),
                           .compile_us = cubin.compile_us,
                           .usage = cubin.usage,
                           .log = cubin.log,
                           .verified = Verified::kUnverified};
  auto entry = std::make_shared<CacheEntry>(CacheEntry{.cubin = cubin.image, .metadata = RecordToJson(record)});
  const std::string& key = planned.modules[index].cubin_key;
  const absl::Status kept = disk->Put(key, std::move(entry));
  if (!kept.ok()) spdlog::warn("{} is compiled but not cached: {}", key, MessageOf(kept));
}

}  // namespace

absl::StatusOr<PlannedSpec> PlanCandidate(const CanonicalSpec& canonical, Plan plan,
                                          std::string_view compiler_identity) {
  PlannedSpec planned{
      .canonical = canonical, .spec_id = SpecId(canonical.graph), .plan = std::move(plan), .modules = {}};
  static const std::string library = DeviceLibraryDigest(DeviceLibrary());  // 200 KB, the same for all
  for (const KernelPlan& kernel : planned.plan.kernels) {
    PlannedModule module;
    GEMMD_ASSIGN_OR_RETURN(module.generated, Generate(canonical.graph, kernel));
    if (!compiler_identity.empty()) {
      module.cubin_key = CubinKey({.source = module.generated.source,
                                   .device_library = library,
                                   .options = StandardOptions(),
                                   .compiler = compiler_identity,
                                   .arch = planned.plan.arch});
    }
    planned.modules.push_back(std::move(module));
  }
  return planned;
}

absl::StatusOr<BuiltCandidate> BuildCandidate(PlannedSpec planned, const Compiler& compiler, CubinStore* disk,
                                              absl::Time deadline, Unclean unclean) {
  BuiltCandidate built;
  CompiledSpec compiled;
  const Arch& arch = planned.plan.arch;
  for (std::size_t i = 0; i < planned.modules.size(); ++i) {
    const PlannedModule& module = planned.modules[i];
    std::optional<Cubin> cubin = Fetch(disk, module, arch);
    if (cubin) {
      ++built.disk_hits;
    } else {
      const CompileRequest request{.source = module.generated.source, .arch = arch, .options = StandardOptions()};
      GEMMD_ASSIGN_OR_RETURN(cubin, compiler.Compile(request, deadline));
      Keep(disk, planned, i, *cubin);
      ++built.compiles;
    }
    if (unclean == Unclean::kRefused) GEMMD_RETURN_IF_ERROR(CheckClean(*cubin));
    compiled.modules.push_back({.cubin = std::make_shared<const std::string>(std::move(cubin->image)),
                                .usage = std::move(cubin->usage),
                                .log = std::move(cubin->log),
                                .compile_us = cubin->compile_us});
  }
  compiled.manifest = MakeManifest(planned.canonical.graph, planned.plan, CubinKeys(planned));
  compiled.planned = std::move(planned);
  built.compiled = std::make_shared<const CompiledSpec>(std::move(compiled));
  return built;
}

}  // namespace gemmd
