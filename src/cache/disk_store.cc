#include "cache/disk_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/atomic_file.h"
#include "base/status.h"
#include "cache/entry_file.h"

namespace gemmd {
namespace {

constexpr std::int64_t kMaxEntryBytes = std::int64_t{256} << 20;

absl::Status CheckKey(std::string_view key) {
  if (IsCubinKey(key)) return absl::OkStatus();
  return InvalidArgument("cubin key \"{}\": expected 64 lower-case hex digits", key);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DiskStore>> DiskStore::Open(const std::filesystem::path& directory,
                                                           std::int64_t max_bytes) {
  GEMMD_RETURN_IF_ERROR(PrepareStoreDirectory(directory));
  std::unique_ptr<DiskStore> store(new DiskStore(directory, max_bytes));
  const std::lock_guard lock(store->trim_mutex_);
  store->Trim();
  return store;
}

DiskStore::DiskStore(std::filesystem::path directory, std::int64_t max_bytes)
    : directory_(std::move(directory)), max_bytes_(max_bytes) {}

absl::StatusOr<std::shared_ptr<const CacheEntry>> DiskStore::Get(std::string_view cubin_key) {
  GEMMD_RETURN_IF_ERROR(CheckKey(cubin_key));
  const std::filesystem::path path = EntryPath(directory_, cubin_key);
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxEntryBytes);
  if (absl::IsNotFound(bytes.status())) {
    ++misses_;
    return NotFound("{} is not on disk", cubin_key);
  }
  if (!bytes.ok()) {
    ++errors_;
    return Unavailable("{}", MessageOf(bytes.status()));
  }
  absl::StatusOr<CacheEntry> entry = DecodeEntry(cubin_key, *bytes);
  if (!entry.ok()) {
    ++quarantined_;
    Quarantine(directory_, cubin_key);
    return WithContext(entry.status(), path.string());
  }
  ++hits_;
  // Renews the time of use. On a read-only disk this fails, and then nothing is evicted either.
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return std::make_shared<const CacheEntry>(*std::move(entry));
}

absl::StatusOr<CacheEntry> DiskStore::Peek(std::string_view cubin_key) const {
  GEMMD_RETURN_IF_ERROR(CheckKey(cubin_key));
  GEMMD_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(EntryPath(directory_, cubin_key), kMaxEntryBytes));
  return DecodeEntry(cubin_key, bytes);
}

bool DiskStore::Remove(std::string_view cubin_key) {
  return IsCubinKey(cubin_key) && RemoveEntry(directory_, cubin_key);
}

absl::Status DiskStore::Put(std::string_view cubin_key, std::shared_ptr<const CacheEntry> entry) {
  GEMMD_RETURN_IF_ERROR(CheckKey(cubin_key));
  const std::string bytes = EncodeEntry(cubin_key, *entry);
  const auto entry_bytes = static_cast<std::int64_t>(bytes.size());
  if (entry_bytes > std::min(max_bytes_, kMaxEntryBytes)) {
    return ResourceExhausted("{} takes {} bytes, more than the {} of the store", cubin_key, entry_bytes,
                             std::min(max_bytes_, kMaxEntryBytes));
  }
  if (absl::Status status = Write(cubin_key, bytes); !status.ok()) {
    ++errors_;
    if (absl::IsResourceExhausted(status)) return status;
    return Unavailable("{}", MessageOf(status));
  }
  const std::lock_guard lock(trim_mutex_);
  bytes_until_trim_ -= entry_bytes;
  if (bytes_until_trim_ < 0) Trim();
  return absl::OkStatus();
}

absl::Status DiskStore::Write(std::string_view cubin_key, const std::string& bytes) const {
  const std::filesystem::path path = EntryPath(directory_, cubin_key);
  absl::Status status = WriteFileAtomically(path, bytes);
  if (!absl::IsNotFound(status)) return status;
  mkdir(path.parent_path().c_str(), 0700);  // the shard's first entry
  return WriteFileAtomically(path, bytes);
}

void DiskStore::Trim() {
  const Trimmed trimmed = TrimStore(directory_, max_bytes_, max_bytes_ - max_bytes_ / 8);
  evicted_ += trimmed.evicted;
  bytes_until_trim_ = std::min(max_bytes_ - trimmed.bytes, max_bytes_ / 16);
}

DiskStoreStats DiskStore::stats() const {
  return {hits_.load(), misses_.load(), quarantined_.load(), evicted_.load(), errors_.load()};
}

}  // namespace gemmd
