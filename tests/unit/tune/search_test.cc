#include "tune/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "scripted_bench.h"

namespace gemmd {
namespace {

using State = TriedCandidate::State;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

std::vector<KernelConfig> Ranking(int count) {
  std::vector<KernelConfig> ranking;
  for (int number = 0; number < count; ++number) ranking.push_back(Numbered(number));
  return ranking;
}

// Times of `count` candidates that fall and rise again: the fastest is `fastest`.
ScriptedBench Valley(int count, int fastest) {
  ScriptedBench bench;
  for (int number = 0; number < count; ++number) bench[number].time_us = 100 + 5.0 * std::abs(number - fastest);
  return bench;
}

SearchOptions WithNeighbours(int count) {
  SearchOptions options;
  options.neighbours = [count](const KernelConfig& config) {
    std::vector<KernelConfig> neighbours;
    for (const int number : {config.stages - 1, config.stages + 1}) {
      if (number >= 0 && number < count) neighbours.push_back(Numbered(number));
    }
    return neighbours;
  };
  return options;
}

TEST(SearchConfigsTest, FindsTheFastestOfTheRanking) {
  ScriptedBench bench = Valley(12, 7);
  const auto outcome = SearchConfigs(Ranking(12), bench, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->winner().config, Numbered(7));
  EXPECT_TRUE(outcome->finished);
  EXPECT_DOUBLE_EQ(outcome->winner().time_ns, 100'000);
  EXPECT_DOUBLE_EQ(outcome->first_pick().time_ns, 135'000);
}

TEST(SearchConfigsTest, WalksFromTheBestToWhatTheRankingDoesNotHave) {
  ScriptedBench bench = Valley(40, 30);
  const auto outcome = SearchConfigs(Ranking(8), bench, WithNeighbours(40));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->winner().config, Numbered(30));
}

TEST(SearchConfigsTest, OpensWithNoMoreThanItIsTold) {
  ScriptedBench bench = Valley(30, 3);
  SearchOptions options;
  options.opening = 5;
  ASSERT_TRUE(SearchConfigs(Ranking(30), bench, options).ok());
  EXPECT_EQ(bench.started(), 5u);
}

TEST(SearchConfigsTest, MeasuresThoseInFrontMoreOftenThanThoseBehind) {
  ScriptedBench bench = Valley(16, 0);
  bench[1].time_us = 101;
  ASSERT_TRUE(SearchConfigs(Ranking(16), bench, {}).ok());
  EXPECT_GT(bench.measurements(1), bench.measurements(15));
}

TEST(SearchConfigsTest, GivesUpTheHopelessAfterOneTurn) {
  ScriptedBench bench = Valley(3, 0);
  bench[2].time_us = 100'000;
  ASSERT_TRUE(SearchConfigs(Ranking(3), bench, {}).ok());
  EXPECT_EQ(bench.measurements(2), 1);
}

TEST(SearchConfigsTest, StaysWithinItsBudget) {
  ScriptedBench bench = Valley(10'000, 9'999);
  for (int number = 0; number < 10'000; ++number) bench[number].time_us += 40'000;
  SearchOptions options = WithNeighbours(10'000);
  options.budget = absl::Seconds(2);
  const absl::Time start = bench.Now();
  const auto outcome = SearchConfigs(Ranking(16), bench, options);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_FALSE(outcome->finished);
  EXPECT_LE(bench.Now() - start, options.budget + absl::Milliseconds(200));
  EXPECT_GE(bench.Now() - start, options.budget / 2);
}

TEST(SearchConfigsTest, ReportsThatNothingWasMeasuredInTime) {
  ScriptedBench bench;
  bench[0].compile = absl::Seconds(60);
  const auto outcome = SearchConfigs(Ranking(1), bench, {});
  EXPECT_TRUE(absl::IsDeadlineExceeded(outcome.status())) << outcome.status();
}

TEST(SearchConfigsTest, KnowsSomethingWhenTheFirstRoundDoesNotEnd) {
  ScriptedBench bench = Valley(16, 1);
  for (int number = 0; number < 16; ++number) bench[number].time_us = number == 1 ? 50'000 : 90'000;
  SearchOptions options;
  options.budget = absl::Seconds(3);
  const auto outcome = SearchConfigs(Ranking(16), bench, options);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->winner().config, Numbered(1));
}

TEST(SearchConfigsTest, StopsWhenItIsCancelled) {
  ScriptedBench bench = Valley(16, 9);
  int measured = 0;
  bench.on_measure = [&] { ++measured; };
  SearchOptions options;
  options.cancelled = [&] { return measured >= 5; };
  EXPECT_TRUE(absl::IsCancelled(SearchConfigs(Ranking(16), bench, options).status()));
  EXPECT_EQ(measured, 5);
}

TEST(SearchConfigsTest, StopsWaitingForCompilesWhenItIsCancelled) {
  ScriptedBench bench;
  for (int number = 0; number < 4; ++number) bench[number].compile = absl::Seconds(60);
  const absl::Time start = bench.Now();
  SearchOptions options;
  options.budget = absl::Seconds(100);
  options.cancelled = [&] { return bench.Now() - start > absl::Seconds(1); };
  EXPECT_TRUE(absl::IsCancelled(SearchConfigs(Ranking(4), bench, options).status()));
  EXPECT_LT(bench.Now() - start, absl::Seconds(2));
}

TEST(SearchConfigsTest, PassesOverWhatComputesSomethingElse) {
  ScriptedBench bench = Valley(8, 5);
  bench[5].verified = Internal("out: 3 of 4 elements are wrong");
  const auto outcome = SearchConfigs(Ranking(8), bench, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_NE(outcome->winner().config, Numbered(5));
  EXPECT_TRUE(outcome->winner().verified);
  EXPECT_EQ(outcome->candidates[5].state, State::kRejected);
  EXPECT_THAT(outcome->candidates[5].rejection, HasSubstr("3 of 4"));
}

TEST(SearchConfigsTest, ExploresNothingAroundWhatComputesSomethingElse) {
  ScriptedBench bench = Valley(20, 15);
  bench[15].verified = Internal("wrong");
  SearchOptions options = WithNeighbours(40);
  const auto neighbours = options.neighbours;
  std::vector<int> explored;
  options.neighbours = [&](const KernelConfig& config) {
    explored.push_back(config.stages);
    return neighbours(config);
  };
  ASSERT_TRUE(SearchConfigs(Ranking(16), bench, options).ok());
  EXPECT_THAT(explored, Not(Contains(15)));
}

TEST(SearchConfigsTest, GoesOnWithoutWhatDoesNotCompileOrRun) {
  ScriptedBench bench = Valley(6, 4);
  bench[4].compiled = Internal("spills");
  bench[3].measured = Internal("CUDA_ERROR_LAUNCH_FAILED");
  bench[5].time_us = 104;
  const auto outcome = SearchConfigs(Ranking(6), bench, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->winner().config, Numbered(5));
  EXPECT_EQ(outcome->candidates[4].rejection, "spills");
  EXPECT_EQ(outcome->candidates[3].state, State::kRejected);
}

TEST(SearchConfigsTest, SaysWhyNothingRuns) {
  ScriptedBench bench;
  bench[0].compiled = Internal("spills");
  bench[1].verified = Internal("wrong");
  const auto outcome = SearchConfigs(Ranking(2), bench, {});
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(MessageOf(outcome.status())), HasSubstr("spills"));
}

TEST(SearchConfigsTest, TakesAnotherWhereTheFirstPickIsWrong) {
  ScriptedBench bench = Valley(3, 0);
  bench[0].verified = Internal("wrong");
  const auto outcome = SearchConfigs(Ranking(3), bench, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->winner().config, Numbered(1));
}

TEST(SearchConfigsTest, KeepsTheFirstPickWhereNoiseIsAllThatAnotherGains) {
  ScriptedBench bench;
  bench[0].noise = {1.00, 1.08, 0.95, 1.04, 0.97};
  bench[1].time_us = 99;
  bench[1].noise = {1.05, 0.93, 1.00, 1.08, 0.96};
  const auto outcome = SearchConfigs(Ranking(2), bench, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->best, 0u);
  EXPECT_TRUE(outcome->winner().verified);
}

TEST(SearchConfigsTest, MeasuresTheWinnerAndTheFirstPickOnceMore) {
  constexpr int kInTheRace = 6;  // measurements of those that are among the last
  // Lucky while it races.
  ScriptedBench bench = Valley(12, 0);
  bench[11].time_us = 90;
  bench.on_measure = [&] {
    if (bench.measurements(11) >= kInTheRace) bench[11].time_us = 155;
  };
  const auto outcome = SearchConfigs(Ranking(12), bench, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_GT(bench.measurements(11), kInTheRace);
  EXPECT_EQ(outcome->best, 0u);
}

TEST(SearchConfigsTest, AnswersNoiseWithRepeats) {
  ScriptedBench quiet, noisy;
  for (ScriptedBench* bench : {&quiet, &noisy}) (*bench)[1].time_us = 90;
  noisy[0].noise = noisy[1].noise = {0.8, 1, 1.3, 0.9, 1.1};
  ASSERT_TRUE(SearchConfigs(Ranking(2), quiet, {}).ok());
  ASSERT_TRUE(SearchConfigs(Ranking(2), noisy, {}).ok());
  EXPECT_GT(noisy.launches(), 2 * quiet.launches());
}

TEST(SearchConfigsTest, MeasuresTheFirstPickInEveryRound) {
  ScriptedBench bench = Valley(40, 30);
  const auto outcome = SearchConfigs(Ranking(8), bench, WithNeighbours(40));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_GE(outcome->first_pick().rounds, outcome->winner().rounds);
}

TEST(SearchConfigsTest, MeasuresWhatIsReadyWhileTheRestCompiles) {
  ScriptedBench bench = Valley(6, 5);
  bench[5].compile = absl::Seconds(2);
  bool measured_before = false;
  const absl::Time start = bench.Now();
  bench.on_measure = [&] { measured_before |= bench.Now() - start < absl::Seconds(1); };
  const auto outcome = SearchConfigs(Ranking(6), bench, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(measured_before);
  EXPECT_EQ(outcome->winner().config, Numbered(5));
  EXPECT_LT(bench.Now() - start, absl::Seconds(3));
}

TEST(SearchConfigsTest, TellsHowFarItIs) {
  ScriptedBench bench = Valley(8, 5);
  std::vector<SearchProgress> seen;
  SearchOptions options;
  options.progress = [&](const SearchProgress& progress) { seen.push_back(progress); };
  ASSERT_TRUE(SearchConfigs(Ranking(8), bench, options).ok());
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen.back().tried, 8u);
  EXPECT_DOUBLE_EQ(seen.back().first_pick_ns, 125'000);
  EXPECT_DOUBLE_EQ(seen.back().best_ns, 100'000);
  EXPECT_EQ(seen.back().best, Numbered(5));
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_LE(seen[i].left, seen[i - 1].left);
}

}  // namespace
}  // namespace gemmd
