#include "runtime/staging_area.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/request_scope.h"
#include "base/status.h"

namespace gemmd {
namespace {

// One is filled while another is copied, and the third waits ready.
constexpr std::int64_t kPiecesAtOnce = 3;

}  // namespace

absl::StatusOr<StagingArea> StagingArea::Create(std::int64_t bytes, std::int64_t chunk_bytes) {
  const std::int64_t whole = std::max<std::int64_t>(bytes / chunk_bytes, 1) * chunk_bytes;
  GEMMD_ASSIGN_OR_RETURN(UniqueFd file, MakeSharedMemory("gemmd-staging", whole));
  GEMMD_ASSIGN_OR_RETURN(SharedMapping mapping, SharedMapping::Map(file.get(), whole));
  return StagingArea(std::move(file), std::move(mapping), chunk_bytes);
}

StagingArea::StagingArea(UniqueFd file, SharedMapping mapping, std::int64_t chunk_bytes)
    : file_(std::move(file)),
      mapping_(std::move(mapping)),
      chunk_bytes_(chunk_bytes),
      chunks_(static_cast<std::size_t>(mapping_.bytes() / chunk_bytes), "staging chunk") {}

absl::StatusOr<StagingArea::Chunk> StagingArea::Acquire(absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(SlotPool::Lease lease, chunks_.Acquire(deadline));
  Chunk chunk;
  chunk.offset_ = static_cast<std::int64_t>(lease.slot()) * chunk_bytes_;
  chunk.bytes_ = {mapping_.data() + chunk.offset_, static_cast<std::size_t>(chunk_bytes_)};
  chunk.lease_ = std::make_shared<const SlotPool::Lease>(std::move(lease));
  return chunk;
}

absl::Status TransferInPieces(std::int64_t bytes, std::int64_t piece_bytes,
                              const std::function<absl::Status(std::int64_t offset, std::int64_t bytes)>& transfer) {
  if (bytes <= piece_bytes) return transfer(0, bytes);
  const std::int64_t pieces = (bytes + piece_bytes - 1) / piece_bytes;
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;
  absl::Status first_error;
  const auto work = [&] {
    for (std::int64_t piece = next++; piece < pieces; piece = next++) {
      const std::int64_t offset = piece * piece_bytes;
      const absl::Status status = transfer(offset, std::min(piece_bytes, bytes - offset));
      if (status.ok()) continue;
      next = pieces;
      const std::lock_guard lock(mutex);
      if (first_error.ok()) first_error = status;
    }
  };
  std::vector<std::thread> others;
  const std::string request = RequestScope::Current();
  for (std::int64_t i = 1; i < std::min(kPiecesAtOnce, pieces); ++i) {
    others.emplace_back([&] {
      const RequestScope scope(request);
      work();
    });
  }
  work();
  for (std::thread& other : others) other.join();
  return first_error;
}

}  // namespace gemmd
