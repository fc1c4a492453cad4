#include "cache/entry_file.h"

#include <algorithm>

#include "base/digest.h"
#include "base/little_endian.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::string_view kMagic = "gemmdCUB";
constexpr std::size_t kHexDigits = 64;
constexpr std::size_t kHeaderBytes = kMagic.size() + 4 + kHexDigits + 8 + 8 + kHexDigits;

std::string DigestOf(std::string_view key, std::string_view cubin, std::string_view metadata) {
  return Digest("cache_entry")
      .Add("schema", std::int64_t{kEntrySchema})
      .Add("key", key)
      .Add("cubin", cubin)
      .Add("metadata", metadata)
      .FinishHex();
}

template <typename Unsigned>
void Append(std::string& bytes, Unsigned value) {
  const auto little = LittleEndian(value);
  bytes.append(little.data(), little.size());
}

// Takes `size` bytes off the front, which must be there.
std::string_view Take(std::string_view& bytes, std::size_t size) {
  const std::string_view taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return taken;
}

}  // namespace

bool IsCubinKey(std::string_view key) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return key.size() == kHexDigits && std::all_of(key.begin(), key.end(), is_hex);
}

std::string EncodeEntry(std::string_view key, const CacheEntry& entry) {
  std::string bytes(kMagic);
  bytes.reserve(kHeaderBytes + entry.cubin.size() + entry.metadata.size());
  Append(bytes, kEntrySchema);
  bytes += key;
  Append(bytes, std::uint64_t{entry.cubin.size()});
  Append(bytes, std::uint64_t{entry.metadata.size()});
  bytes += DigestOf(key, entry.cubin, entry.metadata);
  bytes += entry.cubin;
  bytes += entry.metadata;
  return bytes;
}

absl::StatusOr<CacheEntry> DecodeEntry(std::string_view key, std::string_view bytes) {
  const std::size_t total_bytes = bytes.size();
  if (total_bytes < kHeaderBytes) return DataLoss("{} bytes, less than a header", total_bytes);
  if (Take(bytes, kMagic.size()) != kMagic) return DataLoss("no cache entry: the magic differs");
  const auto schema = FromLittleEndian<std::uint32_t>(Take(bytes, 4));
  if (schema != kEntrySchema) return DataLoss("schema {}, expected {}", schema, kEntrySchema);
  if (const std::string_view echo = Take(bytes, kHexDigits); echo != key) return DataLoss("the entry of key {}", echo);
  const auto cubin_bytes = FromLittleEndian<std::uint64_t>(Take(bytes, 8));
  const auto metadata_bytes = FromLittleEndian<std::uint64_t>(Take(bytes, 8));
  const std::string_view digest = Take(bytes, kHexDigits);
  if (cubin_bytes > bytes.size() || bytes.size() - cubin_bytes != metadata_bytes) {
    return DataLoss("{} bytes, expected {} of cubin and {} of metadata", total_bytes, cubin_bytes, metadata_bytes);
  }
  const std::string_view cubin = Take(bytes, cubin_bytes);
  if (DigestOf(key, cubin, bytes) != digest) return DataLoss("the digest differs");
  return CacheEntry{std::string(cubin), std::string(bytes)};
}

}  // namespace gemmd
