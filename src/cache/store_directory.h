// What a disk store does with its directory: layout, sizes, eviction. Several processes may work on one directory, so
// every file may vanish at any time, and that is no error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace gemmd {

// Makes `directory` with mode 0700, parents too. Errors: Unavailable, PermissionDenied (it is not ours, or others may
// write to it: an entry is code that will run).
absl::Status PrepareStoreDirectory(const std::filesystem::path& directory);

// directory/ab/abcdef…: sharded by the first two digits. Requires IsCubinKey(key).
std::filesystem::path EntryPath(const std::filesystem::path& directory, std::string_view key);

// Moves a bad entry to directory/quarantine, which keeps the newest few for whoever wants to look.
void Quarantine(const std::filesystem::path& directory, std::string_view key);

// One entry's file.
struct StoredFile {
  std::string key;
  std::int64_t bytes = 0;
  absl::Time last_used;
};
// The entries whose key begins with `key_prefix`, the most recently used first.
std::vector<StoredFile> ListStore(const std::filesystem::path& directory, std::string_view key_prefix);

// Whether it was there, and is no longer. Requires IsCubinKey(key).
bool RemoveEntry(const std::filesystem::path& directory, std::string_view key);

struct Trimmed {
  std::int64_t bytes = 0;    // of the entries that stay
  std::int64_t evicted = 0;  // entries
};

// Counts the entries' bytes. Over `max_bytes`, deletes the least recently used (by modification time, which every use
// renews: access times are often off) until `target_bytes` are left. Also deletes temporary files of writers long dead.
Trimmed TrimStore(const std::filesystem::path& directory, std::int64_t max_bytes, std::int64_t target_bytes);

}  // namespace gemmd
