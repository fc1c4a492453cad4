// Files that are whole or absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gemmd {

// What the name of a file not yet whole begins with; one that outlived its writer may be deleted.
inline constexpr std::string_view kTemporaryFilePrefix = ".tmp-";

// Unique temporary name in the same directory, fsync, rename, fsync of the directory; mode 0600.
// Errors: ResourceExhausted (disk full), PermissionDenied, NotFound (no such directory), Internal.
absl::Status WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes);

// The whole file. Errors: NotFound, PermissionDenied, ResourceExhausted (over `max_bytes`), Internal.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, std::int64_t max_bytes);

}  // namespace gemmd
