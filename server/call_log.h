// One line a call.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/request_scope.h"
#include "server/call_journal.h"
#include "server/request_identity.h"

namespace spdlog {
class logger;
}

namespace gemmd {

// Where calls are recorded; all outlive the calls.
struct CallSinks {
  std::shared_ptr<spdlog::logger> logger;
  CallJournal* journal = nullptr;
};

// What one call did. Lives on the stack of its method, whose thread works for that request meanwhile.
class CallRecord {
 public:
  // Takes the call's identity from the client's metadata, and answers with its request id in the trailing metadata.
  // Both arguments outlive the record.
  CallRecord(const CallSinks& sinks, std::string_view method, grpc::ServerContext& context);
  CallRecord(const CallSinks& sinks, std::string_view method, RequestIdentity identity);

  // Each appears in the line once it is known.
  std::string spec_id, tier, device;

  // Writes the line and makes the status that goes out; its retry hint goes into the trailing metadata. Call once,
  // last.
  grpc::Status Finish(const absl::Status& status) const;
  absl::Duration elapsed() const { return absl::Now() - started_; }

 private:
  const CallSinks& sinks_;
  grpc::ServerContext* context_ = nullptr;
  std::string_view method_;
  RequestIdentity identity_;
  const RequestScope scope_;  // this thread's, while the method runs
  absl::Time started_ = absl::Now();
};

// Until when the client waits. InfiniteFuture when it gave no deadline.
absl::Time DeadlineOf(const grpc::ServerContext& context);

}  // namespace gemmd
