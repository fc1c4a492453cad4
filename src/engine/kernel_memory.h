// The memory tier: kernels by what was asked for, bounded in bytes, least recently used out first.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/time/time.h"
#include "engine/compiled_kernel.h"

namespace gemmd {

// A kernel as one question of a user's leads to it.
struct KernelUse {
  std::shared_ptr<const CompiledKernel> kernel;
  std::int64_t hits = 0;  // since it came into memory
  absl::Time last_used;
};

struct KernelMemoryStats {
  std::int64_t kernels = 0;  // questions that have an answer; several may lead to one plan
  std::int64_t bytes = 0, max_bytes = 0;
  std::int64_t evicted = 0;
};

// Thread-safe. A kernel that is handed out stays valid after its eviction.
class KernelMemory {
 public:
  // `max_bytes` bounds the sum of FootprintBytes.
  explicit KernelMemory(std::int64_t max_bytes) : max_bytes_(max_bytes) {}

  // Null when absent. A hit makes the kernel the most recently used.
  std::shared_ptr<const CompiledKernel> Find(std::string_view lookup_key);
  // A kernel with this plan_id, whatever it was looked up by; null when absent.
  std::shared_ptr<const CompiledKernel> FindPlan(std::string_view plan_id) const;
  // Replaces what `lookup_key` had. A kernel larger than the bound is not kept.
  void Insert(const std::string& lookup_key, std::shared_ptr<const CompiledKernel> kernel);

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
  void Erase(Entries::iterator entry);

  const std::int64_t max_bytes_;
  mutable std::mutex mutex_;
  std::int64_t bytes_ = 0, evicted_ = 0;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_lookup_;
  std::unordered_multimap<std::string, Entries::iterator> by_plan_;
};

// The bytes of a kernel's cubin and texts.
std::int64_t FootprintBytes(const CompiledKernel& kernel);

}  // namespace gemmd
