#include "server/call_log.h"

#include <spdlog/logger.h>

#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "base/retry_after.h"
#include "server/grpc_status.h"

namespace gemmd {
namespace {

constexpr char kRequestIdKey[] = "x-request-id";
// The second is what gRPC's own retries heed (gRFC A6).
constexpr const char* kRetryKeys[] = {"retry-after-ms", "grpc-retry-pushback-ms"};

std::string Field(std::string_view name, std::string_view value) {
  return value.empty() ? std::string() : fmt::format(" {}={}", name, value);
}

// The first line, so that a record stays one.
std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

std::string_view Metadata(const grpc::ServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  return found == context.client_metadata().end() ? std::string_view()
                                                  : std::string_view(found->second.data(), found->second.size());
}

RequestIdentity IdentityOf(const grpc::ServerContext& context) {
  return MakeRequestIdentity(Metadata(context, kRequestIdKey), Metadata(context, "traceparent"));
}

}  // namespace

CallRecord::CallRecord(const CallSinks& sinks, std::string_view method, grpc::ServerContext& context)
    : CallRecord(sinks, method, IdentityOf(context)) {
  context_ = &context;
  context.AddTrailingMetadata(kRequestIdKey, identity_.request_id);
}

CallRecord::CallRecord(const CallSinks& sinks, std::string_view method, RequestIdentity identity)
    : sinks_(sinks), method_(method), identity_(std::move(identity)), scope_(identity_.request_id) {
  sinks_.journal->Begin(method_);
}

grpc::Status CallRecord::Finish(const absl::Status& status) const {
  const absl::Duration took = elapsed();
  const std::string error(FirstLine(MessageOf(status)));
  sinks_.logger->info(
      fmt::format("call method={}{}{}{} status={} us={} request_id={}{}{}{}", method_, Field("spec_id", spec_id),
                  Field("tier", tier), Field("device", device), absl::StatusCodeToString(status.code()),
                  absl::ToInt64Microseconds(took), identity_.request_id, Field("trace_id", identity_.trace_id),
                  Field("parent_id", identity_.parent_id), status.ok() ? "" : fmt::format(" error=\"{}\"", error)));
  sinks_.journal->End({.at = started_ + took,
                       .method = std::string(method_),
                       .device = device,
                       .request_id = identity_.request_id,
                       .code = status.code(),
                       .message = error},
                      took);
  if (const auto retry = RetryAfterOf(status); retry && context_ != nullptr) {
    const std::string milliseconds = std::to_string(absl::ToInt64Milliseconds(*retry));
    for (const char* key : kRetryKeys) context_->AddTrailingMetadata(key, milliseconds);
  }
  return ToGrpcStatus(status);
}

absl::Time DeadlineOf(const grpc::ServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteFuture();
  return absl::FromChrono(deadline);
}

}  // namespace gemmd
