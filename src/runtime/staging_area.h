// Shared memory between the daemon and a worker, in chunks under leases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/process.h"
#include "runtime/slot_pool.h"

namespace gemmd {

// Thread-safe.
class StagingArea {
 public:
  // A chunk to itself. The worker may use it as long as a copy of this lives.
  class Chunk {
   public:
    std::span<std::byte> bytes() const { return bytes_; }
    std::int64_t offset() const { return offset_; }  // in the area

   private:
    friend class StagingArea;
    std::shared_ptr<const SlotPool::Lease> lease_;
    std::span<std::byte> bytes_;
    std::int64_t offset_ = 0;
  };

  // `bytes` is rounded down to whole chunks, at least one. Errors: ResourceExhausted, Internal.
  static absl::StatusOr<StagingArea> Create(std::int64_t bytes, std::int64_t chunk_bytes);

  int fd() const { return file_.get(); }
  std::int64_t bytes() const { return mapping_.bytes(); }
  std::int64_t chunk_bytes() const { return chunk_bytes_; }

  // Waits in the order of arrival for a free chunk. Errors: DeadlineExceeded.
  absl::StatusOr<Chunk> Acquire(absl::Time deadline);

 private:
  StagingArea(UniqueFd file, SharedMapping mapping, std::int64_t chunk_bytes);
  UniqueFd file_;
  SharedMapping mapping_;
  std::int64_t chunk_bytes_ = 0;
  SlotPool chunks_;
};

// Calls `transfer(offset, bytes)` for consecutive pieces of [0, bytes), several at once, so that filling one chunk
// overlaps the copy of another. The first error ends it, after the pieces that had begun.
absl::Status TransferInPieces(std::int64_t bytes, std::int64_t piece_bytes,
                              const std::function<absl::Status(std::int64_t offset, std::int64_t bytes)>& transfer);

}  // namespace gemmd
