#include "plan/m_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "plan/cost_model.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

std::vector<RangeConfigs> Ranges(const Graph& graph, const ConfigPin& pin = {}) {
  const auto ranges = RankRanges(graph, HopperLimits(), pin);
  EXPECT_TRUE(ranges.ok()) << ranges.status();
  return ranges.ok() ? *ranges : std::vector<RangeConfigs>{};
}

TEST(RankRangesTest, ALiteralMHasOneRangeWithItsRanking) {
  const Graph graph = ProductGraph(DType::kBf16, 300, 4096, 4096);
  const auto ranges = Ranges(graph);
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].m, MRange{});
  EXPECT_EQ(ranges[0].configs, *RankConfigs(graph, HopperLimits(), {}));
}

TEST(RankRangesTest, ADynamicMHasAtMostSixRangesWithoutGaps) {
  for (const std::int64_t n : {64, 1024, 4096, 14336}) {
    const auto ranges = Ranges(ProductGraph(DType::kBf16, std::nullopt, n, 4096));
    ASSERT_GE(ranges.size(), 2u) << n;
    EXPECT_LE(ranges.size(), static_cast<std::size_t>(kMaxVariants));
    EXPECT_EQ(ranges.front().m.min, 0);
    EXPECT_EQ(ranges.back().m.max, INT64_MAX);
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      EXPECT_EQ(ranges[i].m.min, ranges[i - 1].m.max + 1);
      EXPECT_NE(ranges[i].configs.front(), ranges[i - 1].configs.front());
    }
  }
}

// The promise on a dynamic M, as far as the model goes. A narrow result has more kinds of choices than ranges.
TEST(RankRangesTest, ARangesConfigComesCloseToTheStaticOne) {
  for (const std::int64_t n : {1024, 4096, 8192, 14336}) {
    const auto ranges = Ranges(ProductGraph(DType::kF16, std::nullopt, n, 4096));
    for (const std::int64_t m : {1, 16, 64, 256, 1024, 8192}) {
      const Graph literal = ProductGraph(DType::kF16, m, n, 4096);
      const auto range = std::find_if(ranges.begin(), ranges.end(), [&](const auto& r) { return r.m.Contains(m); });
      ASSERT_NE(range, ranges.end());
      const KernelConfig best = RankConfigs(literal, HopperLimits(), {})->front();
      EXPECT_LE(EstimateCycles(range->configs.front(), literal, HopperLimits()),
                EstimateCycles(best, literal, HopperLimits()) * (n == 1024 ? 1.13 : 1.05))
          << m << " x " << n;
    }
  }
}

TEST(RankRangesTest, EveryRangeEndsWithThePortableKernel) {
  for (const RangeConfigs& range : Ranges(ProductGraph(DType::kBf16, std::nullopt, 4096, 4096))) {
    EXPECT_EQ(range.configs.back().family, Family::kSimt);
    EXPECT_EQ(std::count(range.configs.begin(), range.configs.end(), range.configs.front()), 1);
  }
}

TEST(RankRangesTest, OneConfigThatAPinLeavesServesEveryM) {
  const auto ranges = Ranges(ProductGraph(DType::kF32, std::nullopt, 4096, 4096),
                             {.schedule = "simt", .tile = {32, 32, 8}, .stages = 2, .split_k = 1});
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].m, MRange{});
}

TEST(RankRangesTest, RefusesWhatRankConfigsRefuses) {
  const Graph graph = ProductGraph(DType::kBf16, std::nullopt, 4096, 4096);
  const ConfigPin pin{.schedule = "mma", .tile = {48, 48, 32}, .stages = 2};
  EXPECT_EQ(RankRanges(graph, HopperLimits(), pin).status(), RankConfigs(graph, HopperLimits(), pin).status());
  EXPECT_FALSE(RankRanges(graph, HopperLimits(), pin).ok());
}

}  // namespace
}  // namespace gemmd
