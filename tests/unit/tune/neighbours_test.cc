#include "tune/neighbours.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/ranking.h"
#include "tests/unit/plan/sample_graph.h"

namespace gemmd {
namespace {

constexpr std::size_t kAll = 1000;

std::vector<KernelConfig> RankedFor(const Graph& graph) {
  return *RankConfigs(graph, HopperLimits(), ConfigPin{}, Assumptions{});
}

TEST(NeighboursTest, AreLegalAndOfTheSameKind) {
  for (const Graph& graph : {ProductGraph(DType::kBf16, 1024, 2048, 512), ProductGraph(DType::kF32, 256, 512, 4096),
                             RowGraph(), GatedGraph()}) {
    for (const KernelConfig& config : RankedFor(graph)) {
      for (const KernelConfig& neighbour : Neighbours(config, graph, HopperLimits(), {}, 1024, kAll)) {
        EXPECT_TRUE(CheckWholeConfig(neighbour, graph, HopperLimits(), {}).ok());
        EXPECT_EQ(neighbour.family, config.family);
        EXPECT_EQ(neighbour.rows, config.rows);
        EXPECT_EQ(neighbour.packing, config.packing);
        EXPECT_NE(neighbour, config);
      }
    }
  }
}

TEST(NeighboursTest, HaveOneStageMoreAndOneLessAndOtherTiles) {
  const Graph graph = ProductGraph(DType::kBf16, 4096, 4096, 4096);
  KernelConfig config = RankedFor(graph).front();
  ASSERT_EQ(config.family, Family::kWgmma);
  bool deeper = false, shallower = false, other_tile = false, other_group = false;
  for (const KernelConfig& neighbour : Neighbours(config, graph, HopperLimits(), {}, 4096, kAll)) {
    deeper |= neighbour.stages == config.stages + 1;
    shallower |= neighbour.stages == config.stages - 1;
    other_tile |= neighbour.tile_n != config.tile_n;
    other_group |= neighbour.group_m != config.group_m;
  }
  EXPECT_TRUE(deeper || shallower);
  EXPECT_TRUE(other_tile);
  EXPECT_TRUE(other_group);
}

TEST(NeighboursTest, AreNoMoreThanAskedFor) {
  const Graph graph = ProductGraph(DType::kBf16, 4096, 4096, 4096);
  EXPECT_EQ(Neighbours(RankedFor(graph).front(), graph, HopperLimits(), {}, 4096, 3).size(), 3u);
}

TEST(EveryConfigTest, IsLegalOfEveryFamilyAndEachOnce) {
  for (const Graph& graph : {ProductGraph(DType::kBf16, 4096, 4096, 4096), RowGraph()}) {
    const std::vector<KernelConfig> every = EveryConfig(graph, HopperLimits(), {}, 4096, 300);
    EXPECT_EQ(every.size(), 300u);
    for (const Family family : {Family::kWgmma, Family::kMma, Family::kSimt}) {
      EXPECT_GE(std::ranges::count(every, family, &KernelConfig::family), 60);
    }
    for (std::size_t i = 0; i < every.size(); ++i) {
      EXPECT_TRUE(CheckWholeConfig(every[i], graph, HopperLimits(), {}).ok());
      EXPECT_EQ(std::ranges::count(every, every[i]), 1);
    }
  }
}

TEST(EveryConfigTest, HasTheModelsFirstPick) {
  const Graph graph = ProductGraph(DType::kBf16, 4096, 4096, 4096);
  EXPECT_THAT(EveryConfig(graph, HopperLimits(), {}, 4096, kAll), testing::Contains(RankedFor(graph).front()));
}

TEST(CheckWholeConfigTest, RefusesARowScheduleThatIsNotTheGraphs) {
  const Graph plain = ProductGraph(DType::kBf16, 1024, 1024, 1024);
  KernelConfig config = RankedFor(plain).front();
  EXPECT_TRUE(CheckWholeConfig(config, plain, HopperLimits(), {}).ok());
  config.rows = RowSchedule::kTwoKernels;
  EXPECT_TRUE(absl::IsInvalidArgument(CheckWholeConfig(config, plain, HopperLimits(), {})));
  KernelConfig of_rows = RankedFor(RowGraph()).front();
  EXPECT_TRUE(CheckWholeConfig(of_rows, RowGraph(), HopperLimits(), {}).ok());
  of_rows.rows = RowSchedule::kNone;
  EXPECT_TRUE(absl::IsInvalidArgument(CheckWholeConfig(of_rows, RowGraph(), HopperLimits(), {})));
}

}  // namespace
}  // namespace gemmd
