#include "runtime/stream_pool.h"

#include "base/status.h"

namespace gemmd {

absl::StatusOr<StreamPool> StreamPool::Create(const Driver& driver, int slots, const std::string& device) {
  auto streams = std::make_shared<std::vector<StreamSlot>>();
  for (int i = 0; i < slots; ++i) {
    GEMMD_ASSIGN_OR_RETURN(Stream stream, MakeStream(driver));
    GEMMD_ASSIGN_OR_RETURN(Event start, MakeEvent(driver));
    GEMMD_ASSIGN_OR_RETURN(Event end, MakeEvent(driver));
    streams->push_back({.stream = std::move(stream), .start = std::move(start), .end = std::move(end)});
  }
  return StreamPool(std::move(streams), SlotPool(static_cast<std::size_t>(slots), "stream of " + device));
}

absl::StatusOr<CUdeviceptr> StreamPool::Lease::Scratch(const Driver& driver, std::int64_t bytes) {
  StreamSlot& slot = (*slots_)[lease_.slot()];
  if (slot.scratch_bytes < bytes) {
    slot.scratch.reset();
    slot.scratch_bytes = 0;
    GEMMD_ASSIGN_OR_RETURN(slot.scratch, AllocateDeviceMemory(driver, bytes));
    slot.scratch_bytes = bytes;
  }
  return slot.scratch->get();
}

absl::StatusOr<StreamPool::Lease> StreamPool::Acquire(absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(SlotPool::Lease lease, pool_.Acquire(deadline));
  return Lease(slots_, std::move(lease));
}

}  // namespace gemmd
