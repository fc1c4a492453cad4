// One line a call.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace spdlog {
class logger;
}

namespace gemmd {

// What one call did. Lives on the stack of its method.
class CallRecord {
 public:
  CallRecord(std::shared_ptr<spdlog::logger> logger, std::string_view method);

  // Each appears in the line once it is known.
  std::string spec_id, tier, device;

  // Writes the line and makes the status that goes out. Call once, last.
  grpc::Status Finish(const absl::Status& status) const;
  absl::Duration elapsed() const { return absl::Now() - started_; }

 private:
  std::shared_ptr<spdlog::logger> logger_;
  std::string_view method_;
  absl::Time started_ = absl::Now();
};

// Until when the client waits. InfiniteFuture when it gave no deadline.
absl::Time DeadlineOf(const grpc::ServerContext& context);

}  // namespace gemmd
