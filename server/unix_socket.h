// The file of a unix socket, which outlives a daemon that was killed.
#pragma once

#include <filesystem>

#include "absl/status/status.h"

namespace gemmd {

// Makes way for a new socket: removes one that nobody listens on. Errors: AlreadyExists (a daemon listens there, or
// the path is no socket), NotFound (no such directory), Internal.
absl::Status ClearStaleSocket(const std::filesystem::path& path);

// For this user alone. Errors: Internal.
absl::Status RestrictSocket(const std::filesystem::path& path);

}  // namespace gemmd
