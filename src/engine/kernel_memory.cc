#include "engine/kernel_memory.h"

#include <utility>

#include "absl/time/clock.h"

namespace gemmd {
namespace {

// The M that a spec's variants cover.
MRange CoveredBy(const CompiledSpec& compiled) {
  const std::vector<PlanVariant>& variants = compiled.planned.plan.variants;
  return {variants.front().m.min, variants.back().m.max};
}

}  // namespace

std::shared_ptr<const CompiledSpec> KernelMemory::Find(std::string_view lookup_key, std::optional<std::int64_t> m) {
  const MRange wanted = m ? MRange{*m, *m} : MRange{};
  const std::lock_guard lock(mutex_);
  const auto [first, last] = by_lookup_.equal_range(std::string(lookup_key));
  for (auto found = first; found != last; ++found) {
    KernelUse& use = found->second->use;
    if (!CoveredBy(*use.kernel).Contains(wanted)) continue;
    entries_.splice(entries_.begin(), entries_, found->second);
    ++use.hits;
    use.last_used = absl::Now();
    return use.kernel;
  }
  return nullptr;
}

std::shared_ptr<const CompiledSpec> KernelMemory::FindPlan(std::string_view plan_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_plan_.find(std::string(plan_id));
  return found == by_plan_.end() ? nullptr : found->second->use.kernel;
}

void KernelMemory::Insert(const std::string& lookup_key, std::shared_ptr<const CompiledSpec> kernel) {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = by_lookup_.equal_range(lookup_key);
  for (auto found = first; found != last; ++found) {
    if (CoveredBy(*found->second->use.kernel) != CoveredBy(*kernel)) continue;
    Erase(found->second);
    break;
  }
  const std::int64_t footprint = FootprintBytes(*kernel);
  if (footprint > max_bytes_) return;
  for (; bytes_ + footprint > max_bytes_; ++evicted_) Erase(std::prev(entries_.end()));
  bytes_ += footprint;
  entries_.push_front({lookup_key, {.kernel = std::move(kernel), .hits = 0, .last_used = absl::Now()}});
  by_lookup_.emplace(lookup_key, entries_.begin());
  by_plan_.emplace(entries_.front().use.kernel->planned.plan.plan_id, entries_.begin());
}

std::vector<KernelUse> KernelMemory::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<KernelUse> uses;
  for (const Entry& entry : entries_) uses.push_back(entry.use);
  return uses;
}

std::int64_t KernelMemory::RemoveIf(const std::function<bool(const KernelUse&)>& forget) {
  const std::lock_guard lock(mutex_);
  const std::size_t before = entries_.size();
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (forget(entry->use)) Erase(entry);
    entry = next;
  }
  return static_cast<std::int64_t>(before - entries_.size());
}

KernelMemoryStats KernelMemory::stats() const {
  const std::lock_guard lock(mutex_);
  return {.kernels = static_cast<std::int64_t>(entries_.size()),
          .bytes = bytes_,
          .max_bytes = max_bytes_,
          .evicted = evicted_};
}

void KernelMemory::Erase(Entries::iterator entry) {
  const auto remove = [&](Index& index, const std::string& key) {
    const auto [first, last] = index.equal_range(key);
    for (auto position = first; position != last; ++position) {
      if (position->second != entry) continue;
      index.erase(position);
      return;
    }
  };
  bytes_ -= FootprintBytes(*entry->use.kernel);
  remove(by_plan_, entry->use.kernel->planned.plan.plan_id);
  remove(by_lookup_, entry->lookup_key);
  entries_.erase(entry);
}

std::int64_t FootprintBytes(const CompiledSpec& kernel) {
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < kernel.modules.size(); ++i) bytes += FootprintBytes(kernel, i);
  return bytes;
}

std::int64_t FootprintBytes(const CompiledSpec& kernel, std::size_t module) {
  const CompiledModule& compiled = kernel.modules[module];
  const std::size_t source_bytes = kernel.planned.modules[module].generated.source.size();
  return static_cast<std::int64_t>(compiled.cubin->size() + compiled.log.size() + source_bytes);
}

}  // namespace gemmd
