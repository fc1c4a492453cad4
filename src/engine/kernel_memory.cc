#include "engine/kernel_memory.h"

#include <utility>

#include "absl/time/clock.h"

namespace gemmd {

std::shared_ptr<const CompiledKernel> KernelMemory::Find(std::string_view lookup_key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_lookup_.find(std::string(lookup_key));
  if (found == by_lookup_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  KernelUse& use = found->second->use;
  ++use.hits;
  use.last_used = absl::Now();
  return use.kernel;
}

std::shared_ptr<const CompiledKernel> KernelMemory::FindPlan(std::string_view plan_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_plan_.find(std::string(plan_id));
  return found == by_plan_.end() ? nullptr : found->second->use.kernel;
}

void KernelMemory::Insert(const std::string& lookup_key, std::shared_ptr<const CompiledKernel> kernel) {
  const std::lock_guard lock(mutex_);
  if (const auto found = by_lookup_.find(lookup_key); found != by_lookup_.end()) Erase(found->second);
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
  bytes_ -= FootprintBytes(*entry->use.kernel);
  const auto [first, last] = by_plan_.equal_range(entry->use.kernel->planned.plan.plan_id);
  for (auto position = first; position != last; ++position) {
    if (position->second != entry) continue;
    by_plan_.erase(position);
    break;
  }
  by_lookup_.erase(entry->lookup_key);
  entries_.erase(entry);
}

std::int64_t FootprintBytes(const CompiledKernel& kernel) {
  const std::size_t bytes = kernel.cubin->size() + kernel.planned.generated.source.size() + kernel.log.size();
  return static_cast<std::int64_t>(bytes);
}

}  // namespace gemmd
