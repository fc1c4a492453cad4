#include "base/duration_histogram.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

namespace gemmd {
namespace {

TEST(DurationHistogramTest, ABoundBelongsToTheRangeThatItEnds) {
  DurationHistogram histogram;
  histogram.Record(absl::Milliseconds(1));
  histogram.Record(absl::Milliseconds(1) + absl::Nanoseconds(1));
  histogram.Record(absl::ZeroDuration());
  histogram.Record(absl::Seconds(1000));
  const DurationHistogram::Snapshot snapshot = histogram.Take();
  EXPECT_EQ(snapshot.counts[0], 1);
  EXPECT_EQ(snapshot.counts[4], 1);  // to 1 ms
  EXPECT_EQ(snapshot.counts[5], 1);
  EXPECT_EQ(snapshot.counts.back(), 1);
  EXPECT_EQ(snapshot.total(), 4);
  EXPECT_NEAR(snapshot.sum_seconds, 1000.002, 1e-6);
}

TEST(DurationHistogramTest, LosesNothingAmongThreads) {
  DurationHistogram histogram;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) histogram.Record(absl::Microseconds(50));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.Take().total(), 4000);
  EXPECT_NEAR(histogram.Take().sum_seconds, 0.2, 1e-9);
}

TEST(ScopeTimerTest, RecordsOnceWhateverTheWayOut) {
  DurationHistogram histogram;
  const auto leave_early = [&] {
    const ScopeTimer timer(histogram);
    return;
  };
  leave_early();
  EXPECT_EQ(histogram.Take().total(), 1);
}

}  // namespace
}  // namespace gemmd
