// Status construction with fmt, and the propagation macros that this abseil release lacks.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gemmd {

// A status whose message is formatted; absl's own factories do not take std::string_view in this release.
template <typename... Args>
absl::Status MakeStatus(absl::StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return absl::Status(code, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
absl::Status InvalidArgument(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, format, std::forward<Args>(args)...);
}
template <typename... Args>
absl::Status NotFound(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kNotFound, format, std::forward<Args>(args)...);
}
template <typename... Args>
absl::Status Internal(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kInternal, format, std::forward<Args>(args)...);
}
template <typename... Args>
absl::Status Unimplemented(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kUnimplemented, format, std::forward<Args>(args)...);
}
template <typename... Args>
absl::Status Unavailable(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kUnavailable, format, std::forward<Args>(args)...);
}
template <typename... Args>
absl::Status ResourceExhausted(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, format, std::forward<Args>(args)...);
}
template <typename... Args>
absl::Status DeadlineExceeded(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kDeadlineExceeded, format, std::forward<Args>(args)...);
}
template <typename... Args>
absl::Status DataLoss(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kDataLoss, format, std::forward<Args>(args)...);
}

// The same code with `context` put before the message.
absl::Status WithContext(const absl::Status& status, std::string_view context);

// A failed system call: NotFound, PermissionDenied (also a read-only file system), ResourceExhausted (disk, memory,
// descriptors, processes) or Internal, with the system's words after `context`.
absl::Status FromErrno(int error_number, std::string_view context);

// The message as a std::string_view (abseil's own type does not convert to it implicitly here).
inline std::string_view MessageOf(const absl::Status& status) {
  return std::string_view(status.message().data(), status.message().size());
}

}  // namespace gemmd

#define GEMMD_CONCAT_INNER(a, b) a##b
#define GEMMD_CONCAT(a, b) GEMMD_CONCAT_INNER(a, b)

// Returns the status from the enclosing function unless it is OK.
#define GEMMD_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                     \
    if (absl::Status gemmd_status = (expression); !gemmd_status.ok()) return gemmd_status; \
  } while (false)

// Declares or assigns `target` from a StatusOr expression, or returns its status.
#define GEMMD_ASSIGN_OR_RETURN(target, expression) \
  GEMMD_ASSIGN_OR_RETURN_IMPL(GEMMD_CONCAT(gemmd_statusor_, __LINE__), target, expression)
#define GEMMD_ASSIGN_OR_RETURN_IMPL(holder, target, expression) \
  auto holder = (expression);                                   \
  if (!holder.ok()) return holder.status();                     \
  target = *std::move(holder)
