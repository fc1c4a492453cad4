#include "cache/single_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"

namespace gemmd {
namespace {

using Flight = SingleFlight<std::string>;

absl::Time In(absl::Duration duration) { return absl::Now() + duration; }

// A computation that says when it runs and ends when it is told to.
class Gate {
 public:
  absl::StatusOr<std::string> Compute(const absl::StatusOr<std::string>& result) {
    ++computed;
    started_.set_value();
    opened_.get_future().wait();
    return result;
  }
  void WaitUntilRunning() { started_.get_future().wait(); }
  void Open() { opened_.set_value(); }
  std::atomic<int> computed = 0;

 private:
  std::promise<void> started_, opened_;
};

TEST(SingleFlightTest, SixtyFourCallersComputeOnce) {
  Flight flight;
  Gate gate;
  std::atomic<int> calling = 0, right = 0, joined = 0;
  std::vector<std::jthread> callers;
  const auto call = [&] {
    ++calling;
    const Flight::Landing landing = flight.Do("key", In(absl::Seconds(60)), [&] { return gate.Compute("value"); });
    if (landing.result.ok() && *landing.result == "value") ++right;
    if (landing.joined) ++joined;
  };
  callers.emplace_back(call);
  gate.WaitUntilRunning();
  for (int i = 1; i < 64; ++i) callers.emplace_back(call);
  while (calling < 64) absl::SleepFor(absl::Milliseconds(1));
  absl::SleepFor(absl::Milliseconds(50));  // from there to where they wait
  gate.Open();
  callers.clear();
  EXPECT_EQ(right, 64);
  EXPECT_EQ(gate.computed, 1);
  EXPECT_EQ(joined, 63);
}

TEST(SingleFlightTest, KeysFlyApart) {
  Flight flight;
  Gate gate;
  auto first = std::async(std::launch::async, [&] {
    return flight.Do("a", In(absl::Seconds(60)), [&] { return gate.Compute("a"); }).result.value();
  });
  gate.WaitUntilRunning();
  EXPECT_EQ(flight.Do("b", In(absl::Seconds(60)), [] { return absl::StatusOr<std::string>("b"); }).result.value(), "b");
  gate.Open();
  EXPECT_EQ(first.get(), "a");
}

TEST(SingleFlightTest, KeepsNothingAfterLanding) {
  Flight flight;
  int computed = 0;
  for (int i = 0; i < 3; ++i) {
    flight.Do("key", In(absl::Seconds(60)), [&] {
      ++computed;
      return absl::StatusOr<std::string>("value");
    });
  }
  EXPECT_EQ(computed, 3);
}

// One caller computes `result`; what a second one, who waits meanwhile, gets.
Flight::Landing WaitForOneThatEnds(const absl::StatusOr<std::string>& result) {
  Flight flight;
  Gate gate;
  std::jthread first([&] { flight.Do("key", In(absl::Seconds(60)), [&] { return gate.Compute(result); }); });
  gate.WaitUntilRunning();
  auto second = std::async(std::launch::async, [&] {
    return flight.Do("key", In(absl::Seconds(60)), [] { return absl::StatusOr<std::string>("second"); });
  });
  absl::SleepFor(absl::Milliseconds(50));
  gate.Open();
  return second.get();
}

TEST(SingleFlightTest, AFailureIsSharedWithThoseWhoWaited) {
  const Flight::Landing landing = WaitForOneThatEnds(Internal("rejected"));
  EXPECT_EQ(landing.result.status(), Internal("rejected"));
  EXPECT_TRUE(landing.joined);
}

TEST(SingleFlightTest, AFailureIsNotKept) {
  Flight flight;
  flight.Do("key", In(absl::Seconds(60)), [] { return absl::StatusOr<std::string>(Internal("rejected")); });
  const auto again = flight.Do("key", In(absl::Seconds(60)), [] { return absl::StatusOr<std::string>("value"); });
  EXPECT_EQ(again.result.value(), "value");
}

TEST(SingleFlightTest, OneWhoWaitedTakesOverFromADeadline) {
  const Flight::Landing landing = WaitForOneThatEnds(DeadlineExceeded("the first caller was in a hurry"));
  EXPECT_EQ(landing.result.value(), "second");
  EXPECT_FALSE(landing.joined);
}

TEST(SingleFlightTest, OneWhoWaitedTakesOverFromACancelledCall) {
  EXPECT_EQ(WaitForOneThatEnds(absl::CancelledError("gone")).result.value(), "second");
}

TEST(SingleFlightTest, WaitingEndsAtTheOwnDeadline) {
  Flight flight;
  Gate gate;
  std::jthread first([&] { flight.Do("key", In(absl::Seconds(60)), [&] { return gate.Compute("value"); }); });
  gate.WaitUntilRunning();
  const auto landing =
      flight.Do("key", In(absl::Milliseconds(20)), [] { return absl::StatusOr<std::string>("second"); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(landing.result.status()));
  gate.Open();
}

}  // namespace
}  // namespace gemmd
