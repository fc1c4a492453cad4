#include "cache/store_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "cache/entry_file.h"

namespace gemmd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxQuarantined = 16;
constexpr std::chrono::hours kTemporaryLife{1};

struct File {
  fs::path path;
  std::int64_t bytes = 0;
  fs::file_time_type used;
};

// The regular files right in `directory`; none where it cannot be read.
std::vector<File> FilesOf(const fs::path& directory) {
  std::vector<File> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (!fs::is_regular_file(it->symlink_status(gone)) || gone) continue;
    const auto bytes = static_cast<std::int64_t>(it->file_size(gone));
    if (gone) continue;
    const fs::file_time_type used = it->last_write_time(gone);
    if (!gone) files.push_back({it->path(), bytes, used});
  }
  return files;
}

void SortOldestFirst(std::vector<File>& files) {
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used < b.used; });
}

bool Remove(const fs::path& path) {
  std::error_code error;
  return fs::remove(path, error) && !error;
}

// The system clock's time of a file's; both run evenly, so their difference is the same now as then.
absl::Time TimeOf(fs::file_time_type used) {
  const auto age = fs::file_time_type::clock::now() - used;
  return absl::Now() - absl::FromChrono(std::chrono::duration_cast<std::chrono::nanoseconds>(age));
}

std::vector<File> EntriesOf(const fs::path& directory) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::vector<File> entries;
  for (const char high : kHex) {
    for (const char low : kHex) {
      for (File& file : FilesOf(directory / std::string{high, low})) {
        const std::string name = file.path.filename().string();
        if (IsCubinKey(name)) {
          entries.push_back(std::move(file));
        } else if (name.starts_with(kTemporaryFilePrefix) &&
                   file.used + kTemporaryLife < fs::file_time_type::clock::now()) {
          Remove(file.path);
        }
      }
    }
  }
  return entries;
}

}  // namespace

absl::Status PrepareStoreDirectory(const fs::path& directory) {
  std::error_code error;
  if (directory.has_parent_path()) fs::create_directories(directory.parent_path(), error);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Unavailable("cache directory {}", MessageOf(FromErrno(errno, directory.string())));
  }
  struct stat status = {};
  if (stat(directory.c_str(), &status) != 0) {
    return Unavailable("cache directory {}", MessageOf(FromErrno(errno, directory.string())));
  }
  if (!S_ISDIR(status.st_mode)) return Unavailable("cache directory {}: not a directory", directory.string());
  if (status.st_uid != geteuid() || (status.st_mode & 022) != 0) {
    return MakeStatus(absl::StatusCode::kPermissionDenied,
                      "cache directory {}: owner {}, mode {:o}; expected owner {} and no one else able to write",
                      directory.string(), status.st_uid, status.st_mode & 0777, geteuid());
  }
  return absl::OkStatus();
}

fs::path EntryPath(const fs::path& directory, std::string_view key) { return directory / key.substr(0, 2) / key; }

void Quarantine(const fs::path& directory, std::string_view key) {
  const fs::path quarantine = directory / "quarantine";
  mkdir(quarantine.c_str(), 0700);
  std::error_code error;
  fs::rename(EntryPath(directory, key), quarantine / key, error);
  if (error) Remove(EntryPath(directory, key));
  std::vector<File> kept = FilesOf(quarantine);
  SortOldestFirst(kept);
  for (std::size_t i = 0; i + kMaxQuarantined < kept.size(); ++i) Remove(kept[i].path);
}

std::vector<StoredFile> ListStore(const fs::path& directory, std::string_view key_prefix) {
  std::vector<File> entries = EntriesOf(directory);
  SortOldestFirst(entries);
  std::vector<StoredFile> listed;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    std::string key = entry->path.filename().string();
    if (!key.starts_with(key_prefix)) continue;
    listed.push_back({.key = std::move(key), .bytes = entry->bytes, .last_used = TimeOf(entry->used)});
  }
  return listed;
}

bool RemoveEntry(const fs::path& directory, std::string_view key) { return Remove(EntryPath(directory, key)); }

Trimmed TrimStore(const fs::path& directory, std::int64_t max_bytes, std::int64_t target_bytes) {
  std::vector<File> entries = EntriesOf(directory);
  Trimmed trimmed;
  for (const File& entry : entries) trimmed.bytes += entry.bytes;
  if (trimmed.bytes <= max_bytes) return trimmed;
  SortOldestFirst(entries);
  for (const File& entry : entries) {
    if (trimmed.bytes <= target_bytes) break;
    if (Remove(entry.path)) ++trimmed.evicted;
    trimmed.bytes -= entry.bytes;
  }
  return trimmed;
}

}  // namespace gemmd
