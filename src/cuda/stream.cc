#include "cuda/stream.h"

#include <cmath>

namespace gemmd {

absl::StatusOr<Stream> MakeStream(const Driver& driver) {
  CUstream stream = nullptr;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, StreamCreate, &stream, CU_STREAM_NON_BLOCKING);
  return Stream(driver, stream);
}

absl::StatusOr<Event> MakeEvent(const Driver& driver) {
  CUevent event = nullptr;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, EventCreate, &event, CU_EVENT_DEFAULT);
  return Event(driver, event);
}

absl::Status Record(const Event& event, const Stream& stream) {
  return ToStatus(event.driver(), event.driver()->EventRecord(event.get(), stream.get()), "cuEventRecord");
}

absl::StatusOr<bool> IsDone(const Event& event) {
  const CUresult result = event.driver()->EventQuery(event.get());
  if (result == CUDA_ERROR_NOT_READY) return false;
  GEMMD_RETURN_IF_ERROR(ToStatus(event.driver(), result, "cuEventQuery"));
  return true;
}

absl::StatusOr<std::int64_t> ElapsedNs(const Event& start, const Event& end) {
  float milliseconds = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(start.driver(), EventElapsedTime, &milliseconds, start.get(), end.get());
  return std::llround(static_cast<double>(milliseconds) * 1e6);
}

absl::Status Synchronize(const Stream& stream) {
  return ToStatus(stream.driver(), stream.driver()->StreamSynchronize(stream.get()), "cuStreamSynchronize");
}

}  // namespace gemmd
