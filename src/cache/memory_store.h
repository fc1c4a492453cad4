// The tier in this process.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "cache/cubin_store.h"

namespace gemmd {

// Keeps the most recently used entries within `max_bytes` of keys, cubins and metadata.
class MemoryStore final : public CubinStore {
 public:
  explicit MemoryStore(std::int64_t max_bytes) : max_bytes_(max_bytes) {}

  absl::StatusOr<std::shared_ptr<const CacheEntry>> Get(std::string_view cubin_key) override;
  // Errors: ResourceExhausted (an entry larger than the whole store, which leaves the others as they are).
  absl::Status Put(std::string_view cubin_key, std::shared_ptr<const CacheEntry> entry) override;

  std::int64_t bytes() const;

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<const CacheEntry> entry;
    std::int64_t bytes = 0;
  };
  void Remove(std::list<Kept>::iterator kept);  // requires the mutex

  const std::int64_t max_bytes_;
  mutable std::mutex mutex_;
  std::list<Kept> recent_;                                                  // the last used first
  std::unordered_map<std::string_view, std::list<Kept>::iterator> by_key_;  // views of Kept::key
  std::int64_t bytes_ = 0;
};

}  // namespace gemmd
