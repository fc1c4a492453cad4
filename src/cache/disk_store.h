// The tier on the node's disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/cubin_store.h"
#include "cache/store_directory.h"

namespace gemmd {

struct DiskStoreStats {
  std::int64_t hits = 0;
  std::int64_t misses = 0;
  std::int64_t quarantined = 0;
  std::int64_t evicted = 0;
  std::int64_t errors = 0;  // the disk's, of reads and writes
};

// One self-checking file an entry, least recently used deleted first. Several processes may share the directory; each
// learns of what the others wrote when it scans, so the bound in bytes is then kept within a sixteenth a process.
class DiskStore final : public CubinStore {
 public:
  // Scans what is there. Errors: Unavailable (no such directory can be made), PermissionDenied (others may write to
  // it).
  static absl::StatusOr<std::unique_ptr<DiskStore>> Open(const std::filesystem::path& directory,
                                                         std::int64_t max_bytes);

  // Errors besides the interface's: InvalidArgument (a key that is not 64 lower-case hex digits).
  absl::StatusOr<std::shared_ptr<const CacheEntry>> Get(std::string_view cubin_key) override;
  absl::Status Put(std::string_view cubin_key, std::shared_ptr<const CacheEntry> entry) override;

  // What Get gives, for people who look: renews no time of use, quarantines nothing. Errors: as Get's.
  absl::StatusOr<CacheEntry> Peek(std::string_view cubin_key) const;
  // The entries whose key begins with `key_prefix`, the most recently used first.
  std::vector<StoredFile> List(std::string_view key_prefix = {}) const { return ListStore(directory_, key_prefix); }
  // Whether it was there, and is no longer.
  bool Remove(std::string_view cubin_key);

  DiskStoreStats stats() const;
  std::int64_t max_bytes() const { return max_bytes_; }

 private:
  DiskStore(std::filesystem::path directory, std::int64_t max_bytes);
  absl::Status Write(std::string_view cubin_key, const std::string& bytes) const;
  void Trim();  // requires trim_mutex_

  const std::filesystem::path directory_;
  const std::int64_t max_bytes_;
  std::mutex trim_mutex_;
  std::int64_t bytes_until_trim_ = 0;
  std::atomic<std::int64_t> hits_{0}, misses_{0}, quarantined_{0}, evicted_{0}, errors_{0};
};

}  // namespace gemmd
