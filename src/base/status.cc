#include "base/status.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/cord.h"

namespace gemmd {

absl::Status WithContext(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status longer = MakeStatus(status.code(), "{}: {}", context, MessageOf(status));
  status.ForEachPayload([&](auto type, const absl::Cord& payload) { longer.SetPayload(type, payload); });
  return longer;
}

absl::Status FromErrno(int error_number, std::string_view context) {
  const auto code = [error_number] {
    switch (error_number) {
      case ENOENT:
      case ENOTDIR:
        return absl::StatusCode::kNotFound;
      case EACCES:
      case EPERM:
      case EROFS:
        return absl::StatusCode::kPermissionDenied;
      case ENOSPC:
      case EDQUOT:
      case ENOMEM:
      case EMFILE:
      case ENFILE:
      case EAGAIN:
        return absl::StatusCode::kResourceExhausted;
      default:
        return absl::StatusCode::kInternal;
    }
  }();
  return MakeStatus(code, "{}: {}", context, std::generic_category().message(error_number));
}

}  // namespace gemmd
