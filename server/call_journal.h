// What is kept of calls that have ended: counts, times, and the latest of those that the daemon is to blame for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/duration_histogram.h"

namespace gemmd {

struct MethodCounts {
  std::map<absl::StatusCode, std::int64_t> ended;  // those that occurred
  std::int64_t in_flight = 0;
  DurationHistogram::Snapshot times;  // of those that have ended
};

struct EndedCall {
  absl::Time at;
  std::string method, device, request_id;
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string message;  // its first line
};

// Thread-safe.
class CallJournal {
 public:
  void Begin(std::string_view method);
  // Each Begin needs one of these. `call.at` is when it ended.
  void End(const EndedCall& call, absl::Duration elapsed);

  std::map<std::string, MethodCounts, std::less<>> Methods() const;
  // The latest first: Internal, Unknown, DataLoss and Unavailable.
  std::vector<EndedCall> Failures() const;

 private:
  struct Method {
    std::map<absl::StatusCode, std::int64_t> ended;
    std::int64_t in_flight = 0;
    DurationHistogram times;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Method, std::less<>> methods_;
  std::deque<EndedCall> failures_;
};

}  // namespace gemmd
