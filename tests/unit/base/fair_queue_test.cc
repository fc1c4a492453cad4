#include "base/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/retry_after.h"
#include "base/status.h"

namespace gemmd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

class FairQueueTest : public testing::Test {
 protected:
  // Starts a call of `client` that notes its client when it gets a place; returns once it waits.
  void Wait(const std::string& client) {
    const int waiting = queue_.stats().waiting;
    calls_.emplace_back([this, client] {
      const auto place = queue_.Enter(client, Soon());
      ASSERT_TRUE(place.ok()) << place.status();
      const std::lock_guard lock(mutex_);
      served_.push_back(client);
    });
    while (queue_.stats().waiting == waiting) absl::SleepFor(absl::Milliseconds(1));
  }
  void Join() {
    for (std::thread& call : calls_) call.join();
    calls_.clear();
  }

  FairQueue queue_{"things", 1, 4};
  std::mutex mutex_;
  std::vector<std::string> served_;
  std::vector<std::thread> calls_;
};

TEST_F(FairQueueTest, APlaceIsFreeAgainAtItsEnd) {
  for (int i = 0; i < 3; ++i) {
    const auto place = queue_.Enter("a", Soon());
    ASSERT_TRUE(place.ok());
    EXPECT_EQ(queue_.stats().taken, 1);
  }
  EXPECT_EQ(queue_.stats().taken, 0);
}

TEST_F(FairQueueTest, ClientsTakeTurnsAndEachOnesCallsKeepTheirOrder) {
  auto first = std::make_optional(*queue_.Enter("a", Soon()));
  for (const char* client : {"a", "a", "a", "b"}) Wait(client);
  first.reset();
  Join();
  EXPECT_THAT(served_, ElementsAre("a", "b", "a", "a"));
}

TEST_F(FairQueueTest, RefusesWhenItIsFullWithAHint) {
  auto first = std::make_optional(*queue_.Enter("a", Soon()));
  for (int i = 0; i < 4; ++i) Wait("b");
  const absl::Status refused = queue_.Enter("c", Soon()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr("things: 1 run and 4 wait"));
  ASSERT_TRUE(RetryAfterOf(refused).has_value());
  EXPECT_GE(*RetryAfterOf(refused), absl::Milliseconds(10));
  EXPECT_EQ(queue_.CheckRoom().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(queue_.stats().refused, 2);
  first.reset();
  Join();
  EXPECT_TRUE(queue_.CheckRoom().ok());
  EXPECT_EQ(served_.size(), 4u);
}

TEST_F(FairQueueTest, TheHintGrowsWithWhatIsHeld) {
  FairQueue none("things", 1, 0);
  const auto hint = [&] {
    const auto held = none.Enter("a", Soon());
    return *RetryAfterOf(none.Enter("b", Soon()).status());
  };
  EXPECT_EQ(hint(), absl::Milliseconds(10));
  {
    const auto held = none.Enter("a", Soon());
    absl::SleepFor(absl::Milliseconds(400));
  }
  EXPECT_GT(hint(), absl::Milliseconds(25));
}

TEST_F(FairQueueTest, WhoMissesItsDeadlineLeavesTheLine) {
  auto first = std::make_optional(*queue_.Enter("a", Soon()));
  const absl::Status late = queue_.Enter("b", absl::Now() + absl::Milliseconds(20)).status();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(queue_.stats().waiting, 0);
  Wait("c");
  first.reset();
  Join();
  EXPECT_THAT(served_, ElementsAre("c"));
}

TEST_F(FairQueueTest, NeverLendsMorePlacesThanItHas) {
  FairQueue queue("things", 3, 1000);
  std::atomic<int> inside{0}, most{0}, served{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 50; ++j) {
        const auto place = queue.Enter(std::to_string(i % 5), Soon());
        ASSERT_TRUE(place.ok());
        const int now = ++inside;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        --inside;
        ++served;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 800);
  EXPECT_LE(most, 3);
  EXPECT_EQ(queue.stats().taken, 0);
  EXPECT_EQ(queue.stats().waiting, 0);
}

}  // namespace
}  // namespace gemmd
