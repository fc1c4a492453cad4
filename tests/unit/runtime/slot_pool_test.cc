#include "runtime/slot_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace gemmd {
namespace {

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

TEST(SlotPoolTest, HandsEverySlotOutOnce) {
  SlotPool pool(3, "slot");
  std::vector<SlotPool::Lease> leases;
  std::set<std::size_t> slots;
  for (int i = 0; i < 3; ++i) {
    leases.push_back(*pool.Acquire(Soon()));
    slots.insert(leases.back().slot());
  }
  EXPECT_EQ(slots, (std::set<std::size_t>{0, 1, 2}));
}

TEST(SlotPoolTest, GivesUpAtTheDeadline) {
  SlotPool pool(1, "stream of cuda:0");
  const auto held = pool.Acquire(Soon());
  const auto second = pool.Acquire(absl::Now() + absl::Milliseconds(20));
  EXPECT_EQ(second.status(), absl::DeadlineExceededError("no stream of cuda:0 became free in time"));
}

TEST(SlotPoolTest, AWaiterThatGaveUpTakesNoSlot) {
  SlotPool pool(1, "slot");
  {
    const auto held = pool.Acquire(Soon());
    ASSERT_FALSE(pool.Acquire(absl::Now()).ok());
  }
  EXPECT_TRUE(pool.Acquire(absl::Now()).ok());
}

TEST(SlotPoolTest, AMovedLeaseGivesItsSlotBackOnce) {
  SlotPool pool(1, "slot");
  auto first = pool.Acquire(Soon());
  std::optional<SlotPool::Lease> moved(*std::move(first));
  EXPECT_FALSE(pool.Acquire(absl::Now()).ok());
  moved.reset();
  const auto again = pool.Acquire(absl::Now());
  EXPECT_TRUE(again.ok());
  EXPECT_FALSE(pool.Acquire(absl::Now()).ok());
}

TEST(SlotPoolTest, ServesWaitersInOrder) {
  SlotPool pool(1, "slot");
  std::optional<SlotPool::Lease> held(*pool.Acquire(Soon()));
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&, i] {
      const auto lease = pool.Acquire(Soon());
      const std::lock_guard lock(mutex);
      order.push_back(i);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until it waits
  }
  held.reset();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST(SlotPoolTest, NeverLetsMoreIn) {
  SlotPool pool(2, "slot");
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 200; ++turn) {
        const auto lease = pool.Acquire(Soon());
        const int now = ++inside;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace gemmd
