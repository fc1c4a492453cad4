#include "cache/memory_store.h"

#include "base/status.h"

namespace gemmd {

absl::StatusOr<std::shared_ptr<const CacheEntry>> MemoryStore::Get(std::string_view cubin_key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(cubin_key);
  if (found == by_key_.end()) return NotFound("{} is not in memory", cubin_key);
  recent_.splice(recent_.begin(), recent_, found->second);
  return recent_.front().entry;
}

absl::Status MemoryStore::Put(std::string_view cubin_key, std::shared_ptr<const CacheEntry> entry) {
  const auto entry_bytes = static_cast<std::int64_t>(cubin_key.size() + entry->cubin.size() + entry->metadata.size());
  if (entry_bytes > max_bytes_) {
    return ResourceExhausted("{} has {} bytes, more than the {} of the store", cubin_key, entry_bytes, max_bytes_);
  }
  const std::lock_guard lock(mutex_);
  if (const auto old = by_key_.find(cubin_key); old != by_key_.end()) Remove(old->second);
  while (bytes_ + entry_bytes > max_bytes_) Remove(std::prev(recent_.end()));
  recent_.push_front({std::string(cubin_key), std::move(entry), entry_bytes});
  by_key_.emplace(recent_.front().key, recent_.begin());
  bytes_ += entry_bytes;
  return absl::OkStatus();
}

std::int64_t MemoryStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void MemoryStore::Remove(std::list<Kept>::iterator kept) {
  bytes_ -= kept->bytes;
  by_key_.erase(kept->key);
  recent_.erase(kept);
}

}  // namespace gemmd
