// The memory tier: kernels by what was asked for, bounded in bytes, least recently used out first.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/time/time.h"
#include "engine/compiled_spec.h"

namespace gemmd {

// A kernel as one question of a user's leads to it.
struct KernelUse {
  std::shared_ptr<const CompiledSpec> kernel;
  std::int64_t hits = 0;  // since it came into memory
  absl::Time last_used;
};

struct KernelMemoryStats {
  std::int64_t kernels = 0;  // questions that have an answer; several may lead to one plan
  std::int64_t bytes = 0, max_bytes = 0;
  std::int64_t evicted = 0;
};

// Thread-safe. What is handed out stays valid after its eviction.
class KernelMemory {
 public:
  // `max_bytes` bounds the sum of FootprintBytes.
  explicit KernelMemory(std::int64_t max_bytes) : max_bytes_(max_bytes) {}

  // What serves a launch of that M, or, without one, every M. Null when absent. A hit makes it the most recently used.
  std::shared_ptr<const CompiledSpec> Find(std::string_view lookup_key, std::optional<std::int64_t> m);
  // A kernel with this plan_id, whatever it was looked up by; null when absent.
  std::shared_ptr<const CompiledSpec> FindPlan(std::string_view plan_id) const;
  // Replaces what `lookup_key` had for the very range of M that `kernel` serves. A kernel larger than the bound is not
  // kept.
  void Insert(const std::string& lookup_key, std::shared_ptr<const CompiledSpec> kernel);

  // The most recently used first.
  std::vector<KernelUse> List() const;
  // Forgets those for which `forget` is true; returns how many there were. `forget` must not call back.
  std::int64_t RemoveIf(const std::function<bool(const KernelUse&)>& forget);

  KernelMemoryStats stats() const;

 private:
  struct Entry {
    std::string lookup_key;
    KernelUse use;
  };
  using Entries = std::list<Entry>;  // most recently used first
  using Index = std::unordered_multimap<std::string, Entries::iterator>;
  void Erase(Entries::iterator entry);

  const std::int64_t max_bytes_;
  mutable std::mutex mutex_;
  std::int64_t bytes_ = 0, evicted_ = 0;
  Entries entries_;
  Index by_lookup_, by_plan_;
};

// The bytes of the cubins and texts, or of one module's. A cubin that another spec shares counts for both.
std::int64_t FootprintBytes(const CompiledSpec& kernel);
std::int64_t FootprintBytes(const CompiledSpec& kernel, std::size_t module);

}  // namespace gemmd
