// Calls over a socket: each frame is {u32 payload bytes, u64 call id, payload}, little-endian. Payloads are opaque.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/process.h"

namespace gemmd {

inline constexpr std::int64_t kMaxFrameBytes = std::int64_t{1} << 28;

// The calling end. Thread-safe; many calls may be in flight; answers may come in any order.
class CallChannel {
 public:
  // Takes the socket and starts a reader thread.
  explicit CallChannel(UniqueFd socket);
  ~CallChannel();  // fails every call in flight with Unavailable

  // Sends a request and waits for its answer. Errors: DeadlineExceeded (the answer, if it comes, is dropped; then
  // `on_late_answer`, when given, runs on the reader thread once it came, or the channel broke, or the request was
  // withdrawn before any of it was sent), Unavailable (the peer is gone), InvalidArgument (over kMaxFrameBytes).
  absl::StatusOr<std::string> Call(std::string request, absl::Time deadline,
                                   std::function<void()> on_late_answer = nullptr);

  bool broken() const;
  // As though the peer had gone.
  void Break();
  // Runs once, on the reader thread, when the peer is gone (at once if it already is; never for our own destruction).
  // It may destroy this channel.
  void OnBroken(std::function<void()> callback);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The answering end: runs `handler` on `threads` threads until the peer closes; returns OK then, after the handlers
// that run have ended. The calling end bounds how many requests may wait. Errors: DataLoss (a malformed frame, or an
// answer over kMaxFrameBytes), Internal.
absl::Status ServeCalls(int socket, int threads, const std::function<std::string(std::string)>& handler);

}  // namespace gemmd
