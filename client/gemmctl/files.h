// Reading specs, writing kernels.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gemmd {

// The text at a path, or of standard input for "-". Errors: NotFound, PermissionDenied, InvalidArgument (over 1 MiB).
absl::StatusOr<std::string> ReadSpecText(const std::string& path);
// The same of tuning records, up to 32 MiB.
absl::StatusOr<std::string> ReadRecordsText(const std::string& path);

// Errors: NotFound (no such directory), PermissionDenied, ResourceExhausted (not written in full).
absl::Status WriteBytes(const std::filesystem::path& path, std::string_view bytes);

// Makes the directory and those above it. Errors: PermissionDenied, InvalidArgument (a file is in the way).
absl::Status MakeDirectory(const std::filesystem::path& path);

}  // namespace gemmd
