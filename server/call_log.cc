#include "server/call_log.h"

#include <spdlog/logger.h>

#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "server/grpc_status.h"

namespace gemmd {
namespace {

std::string Field(std::string_view name, std::string_view value) {
  return value.empty() ? std::string() : fmt::format(" {}={}", name, value);
}

// The first line, so that a record stays one.
std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

CallRecord::CallRecord(std::shared_ptr<spdlog::logger> logger, std::string_view method)
    : logger_(std::move(logger)), method_(method) {}

grpc::Status CallRecord::Finish(const absl::Status& status) const {
  const std::string line = fmt::format("call method={}{}{}{} status={} us={}{}", method_, Field("spec_id", spec_id),
                                       Field("tier", tier), Field("device", device),
                                       absl::StatusCodeToString(status.code()), absl::ToInt64Microseconds(elapsed()),
                                       status.ok() ? "" : fmt::format(" error=\"{}\"", FirstLine(MessageOf(status))));
  logger_->info(line);
  return ToGrpcStatus(status);
}

absl::Time DeadlineOf(const grpc::ServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteFuture();
  return absl::FromChrono(deadline);
}

}  // namespace gemmd
