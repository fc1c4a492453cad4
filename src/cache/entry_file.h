// The bytes of one cache entry on disk: they tell by themselves whether they are whole and whose they are.
//   magic "gemmdCUB" | u32 schema | key, 64 hex digits | u64 cubin bytes | u64 metadata bytes | digest, 64 hex digits |
//   cubin | metadata
// Integers are little-endian. The digest is SHA-256 over schema, key, cubin and metadata.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cache/cubin_store.h"

namespace gemmd {

inline constexpr std::uint32_t kEntrySchema = 1;

// Whether `key` is 64 lower-case hex digits: only such a string ever becomes part of a path.
bool IsCubinKey(std::string_view key);

// Requires IsCubinKey(key).
std::string EncodeEntry(std::string_view key, const CacheEntry& entry);
// Errors: DataLoss (cut short, altered, of another schema, or another key's).
absl::StatusOr<CacheEntry> DecodeEntry(std::string_view key, std::string_view bytes);

}  // namespace gemmd
