#include "engine/cache_inventory.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/status.h"
#include "spec/diagnostic.h"

namespace gemmd {
namespace {

HeldKernel Describe(const KernelUse& use, std::size_t module) {
  const PlannedSpec& planned = use.kernel->planned;
  return {.spec_id = planned.spec_id,
          .plan_id = planned.plan.plan_id,
          .cubin_key = planned.modules[module].cubin_key,
          .summary = Summary(planned.canonical.graph),
          .schedule = ScheduleOf(planned.plan.kernels[module].config),
          .arch = Name(planned.plan.arch),
          .tier = CacheTier::kMemory,
          .bytes = FootprintBytes(*use.kernel, module),
          .hits = use.hits,
          .last_used = use.last_used,
          .loaded_on = {}};
}

HeldKernel Describe(const CachedCubin& cubin) {
  return {.spec_id = cubin.record.spec_id,
          .plan_id = cubin.record.plan_id,
          .cubin_key = cubin.cubin_key,
          .summary = cubin.record.summary,
          .schedule = cubin.record.schedule,
          .arch = cubin.record.arch,
          .tier = CacheTier::kDisk,
          .bytes = cubin.bytes,
          .hits = 0,
          .last_used = cubin.last_used,
          .loaded_on = {}};
}

// What is not clean is kept so that it is not compiled again; it hardly ever serves.
bool MayServe(const CachedCubin& cubin) {
  return cubin.damage.empty() &&
         CheckClean({.image = {}, .log = cubin.record.log, .usage = cubin.record.usage, .compile_us = 0}).ok();
}

CachedCubin Read(const DiskStore& disk, const StoredFile& file) {
  CachedCubin cubin{
      .cubin_key = file.key, .bytes = file.bytes, .last_used = file.last_used, .record = {}, .damage = {}};
  const absl::StatusOr<CacheEntry> entry = disk.Peek(file.key);
  const absl::StatusOr<CubinRecord> record = entry.ok() ? RecordFromJson(entry->metadata) : entry.status();
  if (record.ok()) {
    cubin.record = *record;
  } else {
    cubin.damage = MessageOf(record.status());
  }
  return cubin;
}

}  // namespace

std::vector<HeldKernel> CacheInventory::Kernels(std::size_t limit) const {
  std::vector<HeldKernel> held;
  // One row for all the questions that lead to a kernel of a plan.
  std::map<std::pair<std::string, std::string>, std::size_t> rows;
  std::set<std::string> in_memory;
  const std::map<std::string, std::vector<std::string>> loaded_on = kernels_->LoadedOn();
  for (const KernelUse& use : engine_->KernelsInMemory()) {
    for (std::size_t module = 0; module < use.kernel->modules.size(); ++module) {
      HeldKernel kernel = Describe(use, module);
      in_memory.insert(kernel.cubin_key);
      const auto [position, is_new] = rows.emplace(std::pair(kernel.plan_id, kernel.cubin_key), held.size());
      if (is_new) {
        if (const auto found = loaded_on.find(kernel.plan_id); found != loaded_on.end()) {
          kernel.loaded_on = found->second;
        }
        held.push_back(std::move(kernel));
      } else {
        held[position->second].hits += kernel.hits;
        held[position->second].bytes += kernel.bytes;
      }
    }
  }
  for (const StoredFile& file : disk_->List()) {
    if (limit == 0) break;
    if (in_memory.contains(file.key)) continue;
    --limit;
    if (const CachedCubin cubin = Read(*disk_, file); MayServe(cubin)) held.push_back(Describe(cubin));
  }
  return held;
}

CachedCubins CacheInventory::Cubins(std::string_view key_prefix, std::size_t limit) const {
  CachedCubins listed;
  for (const StoredFile& file : disk_->List(key_prefix)) {
    ++listed.total_entries;
    listed.total_bytes += file.bytes;
    if (listed.cubins.size() < limit) listed.cubins.push_back(Read(*disk_, file));
  }
  return listed;
}

absl::StatusOr<std::string> CacheInventory::ResolveKey(const std::string& key) const {
  std::set<std::string> matches;
  for (const StoredFile& file : disk_->List(key)) matches.insert(file.key);
  for (const KernelUse& use : engine_->KernelsInMemory()) {
    for (const std::string& in_memory : CubinKeys(use.kernel->planned)) {
      if (in_memory.starts_with(key)) matches.insert(in_memory);
    }
  }
  if (matches.empty()) return NotFound("cubin_key {}: neither in memory nor on disk", Quote(key));
  if (matches.size() == 1) return *matches.begin();
  return InvalidArgument("cubin_key {}: {} keys begin with it, {} and {} among them", Quote(key), matches.size(),
                         *matches.begin(), *matches.rbegin());
}

CacheStats CacheInventory::Stats() const {
  CacheStats stats{.engine = engine_->stats(), .disk = disk_->stats(), .disk_max_bytes = disk_->max_bytes()};
  for (const StoredFile& file : disk_->List()) {
    ++stats.disk_entries;
    stats.disk_bytes += file.bytes;
  }
  return stats;
}

absl::StatusOr<Purged> CacheInventory::Purge(const PurgeSelection& selection) {
  std::string key;
  if (const auto* one = std::get_if<PurgeKey>(&selection)) {
    GEMMD_ASSIGN_OR_RETURN(key, ResolveKey(one->key));
  }
  const auto* since = std::get_if<PurgeUnusedSince>(&selection);
  std::map<std::string, absl::Time> used;  // a hit in memory does not reach the disk
  for (const KernelUse& use : engine_->KernelsInMemory()) {
    for (const std::string& cubin_key : CubinKeys(use.kernel->planned)) {
      absl::Time& last = used.emplace(cubin_key, absl::InfinitePast()).first->second;
      last = std::max(last, use.last_used);
    }
  }
  const auto selected = [&](const std::string& cubin_key, absl::Time last_used) {
    if (!key.empty()) return cubin_key == key;
    if (since == nullptr) return true;
    const auto in_memory = used.find(cubin_key);
    return std::max(last_used, in_memory == used.end() ? absl::InfinitePast() : in_memory->second) < since->time;
  };
  Purged purged;
  for (const StoredFile& file : disk_->List(key)) {
    if (!selected(file.key, file.last_used) || !disk_->Remove(file.key)) continue;
    ++purged.disk_entries;
    purged.disk_bytes += file.bytes;
  }
  purged.memory_kernels = engine_->DropFromMemory([&](const KernelUse& use) {
    return std::ranges::any_of(CubinKeys(use.kernel->planned),
                               [&](const std::string& cubin_key) { return selected(cubin_key, use.last_used); });
  });
  return purged;
}

}  // namespace gemmd
