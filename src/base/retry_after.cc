#include "base/retry_after.h"

#include <cstdlib>
#include <string>

#include "absl/strings/cord.h"

namespace gemmd {
namespace {

constexpr char kPayload[] = "gemmd/retry-after-ms";

}  // namespace

absl::Status WithRetryAfter(absl::Status status, absl::Duration wait) {
  status.SetPayload(kPayload, absl::Cord(std::to_string(absl::ToInt64Milliseconds(wait))));
  return status;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload) return std::nullopt;
  return absl::Milliseconds(std::strtoll(std::string(*payload).c_str(), nullptr, 10));
}

}  // namespace gemmd
