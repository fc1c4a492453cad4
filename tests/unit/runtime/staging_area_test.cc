#include "runtime/staging_area.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <vector>

namespace gemmd {
namespace {

TEST(StagingAreaTest, ChunksDoNotOverlap) {
  auto area = StagingArea::Create(4096 * 3, 4096);
  ASSERT_TRUE(area.ok()) << area.status();
  std::vector<StagingArea::Chunk> chunks;
  for (int i = 0; i < 3; ++i) {
    chunks.push_back(*area->Acquire(absl::Now()));
    std::ranges::fill(chunks.back().bytes(), static_cast<std::byte>(i));
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(chunks[static_cast<std::size_t>(i)].bytes().front(), static_cast<std::byte>(i));
    EXPECT_EQ(chunks[static_cast<std::size_t>(i)].bytes().back(), static_cast<std::byte>(i));
  }
}

TEST(StagingAreaTest, AChunkIsTakenWhileAnyCopyOfItLives) {
  auto area = StagingArea::Create(4096, 4096);
  ASSERT_TRUE(area.ok()) << area.status();
  std::optional<StagingArea::Chunk> chunk(*area->Acquire(absl::Now()));
  std::optional<StagingArea::Chunk> late(chunk);
  chunk.reset();
  EXPECT_FALSE(area->Acquire(absl::Now()).ok());
  late.reset();
  EXPECT_TRUE(area->Acquire(absl::Now()).ok());
}

TEST(StagingAreaTest, IsSharedWithWhoeverMapsItsDescriptor) {
  auto area = StagingArea::Create(8192, 4096);
  ASSERT_TRUE(area.ok()) << area.status();
  const auto other = SharedMapping::Map(area->fd(), area->bytes());
  ASSERT_TRUE(other.ok()) << other.status();
  const auto first = area->Acquire(absl::Now());
  const auto second = area->Acquire(absl::Now());
  second->bytes()[5] = std::byte{42};
  EXPECT_EQ(other->data()[second->offset() + 5], std::byte{42});
}

TEST(TransferInPiecesTest, CoversEveryByteOnce) {
  std::vector<int> touched(1000, 0);
  std::mutex mutex;
  const absl::Status status = TransferInPieces(1000, 64, [&](std::int64_t offset, std::int64_t bytes) {
    const std::lock_guard lock(mutex);
    for (std::int64_t i = offset; i < offset + bytes; ++i) ++touched[static_cast<std::size_t>(i)];
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(std::ranges::all_of(touched, [](int count) { return count == 1; }));
}

TEST(TransferInPiecesTest, TransfersNothingInOnePiece) {
  int calls = 0;
  EXPECT_TRUE(TransferInPieces(0, 64, [&](std::int64_t, std::int64_t bytes) {
                ++calls;
                return bytes == 0 ? absl::OkStatus() : absl::InternalError("bytes");
              }).ok());
  EXPECT_EQ(calls, 1);  // the device still checks that the buffer exists
}

TEST(TransferInPiecesTest, StopsAtTheFirstError) {
  std::atomic<int> calls{0};
  const absl::Status status = TransferInPieces(64 * 1000, 64, [&](std::int64_t, std::int64_t) {
    ++calls;
    return absl::NotFoundError("gone");
  });
  EXPECT_EQ(status, absl::NotFoundError("gone"));
  EXPECT_LE(calls, 3);  // the pieces that had begun
}

}  // namespace
}  // namespace gemmd
