#include "compile/worker_pool.h"

#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "absl/time/clock.h"
#include "base/retry_after.h"
#include "base/status.h"

namespace gemmd {
namespace {

absl::Time In(absl::Duration duration) { return absl::Now() + duration; }

// Workers whose channel the test holds the other end of; no process behind them.
class WorkerPoolTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<CompileWorker>> Start() {
    if (!start_.ok()) return start_;
    SocketPair sockets = MakeSocketPair().value();
    peers_.push_back(std::move(sockets.child));
    auto worker = std::make_unique<CompileWorker>();
    worker->channel = std::make_unique<CallChannel>(std::move(sockets.parent));
    return worker;
  }
  absl::Status start_;
  std::vector<UniqueFd> peers_;  // one for each start
  WorkerPool pool_{1, 2, [this](absl::Time) { return Start(); }};
};

TEST_F(WorkerPoolTest, StartsNoneBeforeItsFirstUseAndThenKeepsIt) {
  EXPECT_EQ(peers_.size(), 0U);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pool_.Acquire(In(absl::Seconds(20))).ok());
  EXPECT_EQ(peers_.size(), 1U);
}

TEST_F(WorkerPoolTest, LendsNoMoreThanItsSize) {
  const auto lease = pool_.Acquire(In(absl::Seconds(20)));
  ASSERT_TRUE(lease.ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(pool_.Acquire(In(absl::Milliseconds(20))).status()));
}

TEST_F(WorkerPoolTest, HandsAReturnedWorkerToOneWhoWaits) {
  auto lease = std::make_optional(pool_.Acquire(In(absl::Seconds(20))));
  auto waiting = std::async(std::launch::async, [this] { return pool_.Acquire(In(absl::Seconds(20))).status(); });
  lease.reset();
  EXPECT_TRUE(waiting.get().ok());
}

TEST_F(WorkerPoolTest, ReplacesADiscardedWorker) {
  pool_.Acquire(In(absl::Seconds(20)))->Discard();
  ASSERT_TRUE(pool_.Acquire(In(absl::Seconds(20))).ok());
  EXPECT_EQ(peers_.size(), 2U);
}

TEST_F(WorkerPoolTest, ReplacesAWorkerThatDiedIdle) {
  {
    auto lease = pool_.Acquire(In(absl::Seconds(20)));
    std::promise<void> broken;
    lease->worker().channel->OnBroken([&broken] { broken.set_value(); });
    peers_[0].Reset();
    broken.get_future().wait();
  }
  ASSERT_TRUE(pool_.Acquire(In(absl::Seconds(20))).ok());
  EXPECT_EQ(peers_.size(), 2U);
}

TEST_F(WorkerPoolTest, LetsGoOfAWorkerThatDiesIdleWithoutBeingAsked) {
  ASSERT_TRUE(pool_.Acquire(In(absl::Seconds(20))).ok());
  ASSERT_EQ(pool_.stats().idle, 1);
  peers_[0].Reset();
  for (const absl::Time deadline = In(absl::Seconds(20)); pool_.stats().idle == 1;) ASSERT_LT(absl::Now(), deadline);
  EXPECT_EQ(pool_.stats().ended, 1);
}

TEST_F(WorkerPoolTest, AFailedStartCostsNoPlace) {
  start_ = Unavailable("no such program");
  EXPECT_EQ(pool_.Acquire(In(absl::Seconds(20))).status(), start_);
  start_ = absl::OkStatus();
  EXPECT_TRUE(pool_.Acquire(In(absl::Seconds(20))).ok());
}

TEST_F(WorkerPoolTest, CountsWhatItsWorkersDo) {
  EXPECT_EQ(pool_.stats().queue.places, 1);
  {
    auto lease = pool_.Acquire(In(absl::Seconds(20)));
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(pool_.stats().queue.taken, 1);
    EXPECT_EQ(pool_.stats().idle, 0);
    auto waiting = std::async(std::launch::async, [&] { return pool_.Acquire(In(absl::Seconds(20))).ok(); });
    while (pool_.stats().queue.waiting == 0) absl::SleepFor(absl::Milliseconds(1));
    lease->Discard();
    { const auto gone = *std::move(lease); }
    EXPECT_TRUE(waiting.get());
  }
  const WorkerPoolStats stats = pool_.stats();
  EXPECT_EQ(stats.queue.taken, 0);
  EXPECT_EQ(stats.idle, 1);
  EXPECT_EQ(stats.queue.waiting, 0);
  EXPECT_EQ(stats.started, 2);
  EXPECT_EQ(stats.ended, 1);
}

TEST_F(WorkerPoolTest, AWorkerThatDoesNotStartIsNoneThatStarted) {
  start_ = absl::UnavailableError("no");
  EXPECT_FALSE(pool_.Acquire(In(absl::Seconds(20))).ok());
  EXPECT_EQ(pool_.stats().started, 0);
  EXPECT_EQ(pool_.stats().ended, 0);
  EXPECT_EQ(pool_.stats().queue.taken, 0);
}

TEST_F(WorkerPoolTest, RefusesCallsWhenTooManyWait) {
  auto lease = std::make_optional(*pool_.Acquire(In(absl::Seconds(20))));
  std::vector<std::future<bool>> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(std::async(std::launch::async, [&] { return pool_.Acquire(In(absl::Seconds(20))).ok(); }));
  }
  while (pool_.stats().queue.waiting < 2) absl::SleepFor(absl::Milliseconds(1));
  const absl::Status refused = pool_.Acquire(In(absl::Seconds(20))).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryAfterOf(refused).has_value());
  lease.reset();
  for (std::future<bool>& call : waiting) EXPECT_TRUE(call.get());
  EXPECT_EQ(pool_.stats().queue.refused, 1);
}

}  // namespace
}  // namespace gemmd
