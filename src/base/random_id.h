// Ids that nobody guesses.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace gemmd {

// So many random bytes (at most 256), in lower-case hex. Errors: Internal (the system gives none).
absl::StatusOr<std::string> RandomHex(std::size_t bytes);

}  // namespace gemmd
