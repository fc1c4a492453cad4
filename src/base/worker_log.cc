#include "base/worker_log.h"

#include <spdlog/spdlog.h>

#include "base/request_scope.h"
#include "base/status.h"

namespace gemmd {

void LogWorkerCall(std::string_view kind, const absl::Status& status, absl::Duration took) {
  const spdlog::level::level_enum level = status.ok() ? spdlog::level::debug : spdlog::level::info;
  if (!spdlog::should_log(level)) return;
  const std::string_view message = MessageOf(status);
  const std::string& request = RequestScope::Current();
  spdlog::log(level, "call kind={} status={} us={}{}{}", kind, absl::StatusCodeToString(status.code()),
              absl::ToInt64Microseconds(took), request.empty() ? "" : fmt::format(" request_id={}", request),
              status.ok() ? "" : fmt::format(" error=\"{}\"", message.substr(0, message.find('\n'))));
}

}  // namespace gemmd
