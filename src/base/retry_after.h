// The hint that goes with a refusal: when asking again is worth it.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace gemmd {

// In whole milliseconds. WithContext keeps it.
absl::Status WithRetryAfter(absl::Status status, absl::Duration wait);
std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

}  // namespace gemmd
