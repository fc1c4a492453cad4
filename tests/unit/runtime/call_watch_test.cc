#include "runtime/call_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gemmd {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr CallWatch::Clock::time_point kStart{seconds(1000)};

CallWatch::Clock::time_point At(int second) { return kStart + seconds(second); }
CallWatch::Kernel Plan(const char* id) { return std::make_shared<const std::string>(id); }

TEST(CallWatchTest, ALaunchIsOverdueAfterTheLimit) {
  CallWatch watch(seconds(10));
  const auto call = watch.Begin(Plan("a"), At(0));
  EXPECT_FALSE(watch.FindOverdue(At(9)));
  ASSERT_TRUE(watch.FindOverdue(At(10)));
  EXPECT_EQ(watch.FindOverdue(At(10))->call, call);
  EXPECT_EQ(*watch.FindOverdue(At(10))->kernel, "a");
  watch.End(call, At(10));
  EXPECT_FALSE(watch.FindOverdue(At(100)));
}

TEST(CallWatchTest, ALaunchThatWaitsForItsTurnDoesNotCountYet) {
  CallWatch watch(seconds(10));
  watch.SetSlots(2);
  const auto first = watch.Begin(Plan("a"), At(0));
  const auto second = watch.Begin(Plan("b"), At(0));
  const auto third = watch.Begin(Plan("c"), At(0));
  const auto fourth = watch.Begin(Plan("d"), At(0));
  watch.End(second, At(8));
  watch.End(first, At(9));
  EXPECT_FALSE(watch.FindOverdue(At(17)));
  EXPECT_EQ(watch.FindOverdue(At(18))->call, third);
  watch.End(third, At(18));
  EXPECT_EQ(watch.FindOverdue(At(19))->call, fourth);
}

TEST(CallWatchTest, OneThatGaveUpItsPlaceInTheLineChangesNoTurn) {
  CallWatch watch(seconds(10));
  const auto running = watch.Begin(Plan("a"), At(0));
  const auto waiting = watch.Begin(Plan("b"), At(0));
  watch.End(waiting, At(5));
  EXPECT_EQ(watch.FindOverdue(At(10))->call, running);
}

TEST(CallWatchTest, AnotherCallCountsFromTheLastAnswer) {
  CallWatch watch(seconds(10));
  const auto launch = watch.Begin(Plan("a"), At(0));
  const auto copy = watch.Begin(nullptr, At(0));
  watch.End(launch, At(9));
  EXPECT_FALSE(watch.FindOverdue(At(18)));
  ASSERT_TRUE(watch.FindOverdue(At(19)));
  EXPECT_EQ(watch.FindOverdue(At(19))->call, copy);
  EXPECT_EQ(watch.FindOverdue(At(19))->kernel, nullptr);
}

TEST(CallWatchTest, NothingIsOverdueBeforeTheNextExpiry) {
  CallWatch watch(seconds(10));
  EXPECT_EQ(watch.NextExpiry(At(3)), At(13));
  watch.Begin(Plan("a"), At(1));
  watch.Begin(nullptr, At(2));
  EXPECT_EQ(watch.NextExpiry(At(3)), At(11));
}

TEST(CallWatchTest, NamesThePlansThatRunOnceEach) {
  CallWatch watch(seconds(10));
  watch.SetSlots(3);
  EXPECT_THAT(watch.Running(), IsEmpty());
  for (const char* plan : {"a", "b", "a", "c"}) watch.Begin(Plan(plan), At(0));
  watch.Begin(nullptr, At(0));
  EXPECT_THAT(watch.Running(), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace gemmd
