// Which build of a library a file is.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace gemmd {

// Hex digits that change whenever the library does: its GNU build-id note, or the SHA-256 of the file where it has
// none. Errors: ReadFile's, DataLoss (not a 64-bit ELF file).
absl::StatusOr<std::string> BuildIdentity(const std::string& library_path);

}  // namespace gemmd
