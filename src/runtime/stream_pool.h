// A GPU's streams, handed out one to a call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "runtime/slot_pool.h"

namespace gemmd {

struct StreamSlot {
  Stream stream;
  Event start, end;                       // for timing one launch
  std::optional<DeviceMemory> scratch{};  // what the last launches had between their kernels
  std::int64_t scratch_bytes = 0;
};

// Thread-safe.
class StreamPool {
 public:
  // A stream on which nothing of others runs. Give it back only once everything enqueued on it is done.
  class Lease {
   public:
    const StreamSlot& operator*() const { return (*slots_)[lease_.slot()]; }
    const StreamSlot* operator->() const { return &**this; }

    // Memory that is this lease's own, aligned to 256 bytes, contents undefined. It stays with the stream, for the next
    // lease to use. Errors: ResourceExhausted.
    absl::StatusOr<CUdeviceptr> Scratch(const Driver& driver, std::int64_t bytes);

   private:
    friend class StreamPool;
    Lease(std::shared_ptr<std::vector<StreamSlot>> slots, SlotPool::Lease lease)
        : slots_(std::move(slots)), lease_(std::move(lease)) {}
    std::shared_ptr<std::vector<StreamSlot>> slots_;
    SlotPool::Lease lease_;
  };

  static absl::StatusOr<StreamPool> Create(const Driver& driver, int slots, const std::string& device);

  // Waits in the order of arrival for a free stream. Errors: DeadlineExceeded.
  absl::StatusOr<Lease> Acquire(absl::Time deadline);

 private:
  StreamPool(std::shared_ptr<std::vector<StreamSlot>> slots, SlotPool pool)
      : slots_(std::move(slots)), pool_(std::move(pool)) {}
  std::shared_ptr<std::vector<StreamSlot>> slots_;
  SlotPool pool_;
};

}  // namespace gemmd
