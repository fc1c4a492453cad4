// Streams and the events that order and time them.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "cuda/driver.h"
#include "cuda/unique_handle.h"

namespace gemmd {

struct StreamTraits {
  using Handle = CUstream;
  static constexpr Handle kNone = nullptr;
  static constexpr const char* kReleaseCall = "cuStreamDestroy";
  static CUresult Release(const Driver& driver, Handle stream) { return driver->StreamDestroy(stream); }
};

struct EventTraits {
  using Handle = CUevent;
  static constexpr Handle kNone = nullptr;
  static constexpr const char* kReleaseCall = "cuEventDestroy";
  static CUresult Release(const Driver& driver, Handle event) { return driver->EventDestroy(event); }
};

using Stream = UniqueHandle<StreamTraits>;
using Event = UniqueHandle<EventTraits>;

// A stream that never waits for the default stream.
absl::StatusOr<Stream> MakeStream(const Driver& driver);
// An event that takes the time.
absl::StatusOr<Event> MakeEvent(const Driver& driver);

absl::Status Record(const Event& event, const Stream& stream);
// Whether everything before the event's record is done. Errors: whatever that work failed with.
absl::StatusOr<bool> IsDone(const Event& event);
// Between two events that are done. The driver resolves about half a microsecond.
absl::StatusOr<std::int64_t> ElapsedNs(const Event& start, const Event& end);

// Blocks, without a deadline. Errors: whatever the stream's work failed with.
absl::Status Synchronize(const Stream& stream);

}  // namespace gemmd
