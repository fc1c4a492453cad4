#include "plan/split_k.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/manifest.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;

KernelConfig Ranked(const Graph& graph, const DeviceLimits& limits, const ConfigPin& pin) {
  const auto configs = RankConfigs(graph, limits, pin);
  EXPECT_TRUE(configs.ok()) << configs.status();
  return configs.ok() ? configs->front() : KernelConfig{};
}

ConfigPin Pin(std::optional<std::int64_t> split_k, std::optional<std::int64_t> cluster_k = {},
              std::string schedule = {}) {
  ConfigPin pin;
  pin.schedule = std::move(schedule);
  pin.split_k = split_k;
  pin.cluster_k = cluster_k;
  return pin;
}

DeviceLimits AmpereLimits() { return *LimitsOf({8, 0, false}); }

TEST(SplitKTest, FewTilesOfALongKAreDivided) {
  for (const DType dtype : {DType::kBf16, DType::kF32}) {
    const KernelConfig first = Ranked(ProductGraph(dtype, 16, 16, 65536), HopperLimits(), {});
    EXPECT_GE(first.split_k(), 32) << Name(dtype);
    EXPECT_GT(first.cluster_k, 1) << Name(dtype);
  }
}

TEST(SplitKTest, ManyTilesAreNot) {
  EXPECT_EQ(Ranked(ProductGraph(DType::kF32, 8192, 8192, 8192), HopperLimits(), {}).split_k(), 1);
}

TEST(SplitKTest, WithoutClustersSharesMeetInTheWorkspace) {
  const KernelConfig first = Ranked(ProductGraph(DType::kBf16, 16, 16, 65536), AmpereLimits(), {});
  EXPECT_EQ(first.cluster_k, 1);
  EXPECT_GT(first.clusters_k, 1);
}

TEST(SplitKTest, APinIsKept) {
  const Graph graph = ProductGraph(DType::kF32, 16, 16, 4096);
  for (const int split : {1, 2, 16, 64}) {
    EXPECT_EQ(Ranked(graph, HopperLimits(), Pin(split)).split_k(), split);
    const int cluster = std::min(split, 4);
    const KernelConfig config = Ranked(graph, HopperLimits(), Pin(split, cluster));
    EXPECT_EQ(config.split_k(), split);
    EXPECT_EQ(config.cluster_k, cluster);
  }
  for (const ConfigPin& pin : {Pin(513), Pin(3, 2), Pin({}, 16), Pin(2, {}, "wgmma")}) {
    const auto refused = RankConfigs(graph, HopperLimits(), pin);
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.status().message(), HasSubstr("simt, mma and skinny divide K"));
  }
}

TEST(SplitKTest, ItsLaunchHasEveryCtaOfATile) {
  const Graph graph = ProductGraph(DType::kBf16, 100, 200, 8192);
  const KernelConfig config = Ranked(graph, HopperLimits(), Pin(32, 8, "mma"));
  const Manifest manifest = MakeManifest(graph, PlanWith(graph, config, HopperLimits(), {}), {"cubin"});
  const LaunchStep& step = manifest.variants.at(0).launches.at(0);
  EXPECT_EQ(step.grid.ctas_per_tile, 32);
  EXPECT_EQ(step.cluster, (Dim3{8, 1, 1}));
  EXPECT_FALSE(step.cooperative);
  // Of each tile along N: a counter for every rank, and what four clusters leave.
  const std::int64_t across = (200 + config.tile_n - 1) / config.tile_n;
  EXPECT_EQ(manifest.variants[0].workspace,
            (Workspace{config.tile_m, across * 8 * 4, across * 4 * config.tile_m * config.tile_n * 4}));
}

TEST(SplitKTest, AClusterNeedsNoWorkspace) {
  const Graph graph = ProductGraph(DType::kBf16, 100, 200, 8192);
  const KernelConfig config = Ranked(graph, HopperLimits(), Pin(8, 8));
  const Manifest manifest = MakeManifest(graph, PlanWith(graph, config, HopperLimits(), {}), {"cubin"});
  EXPECT_EQ(manifest.variants.at(0).workspace, Workspace{});
}

TEST(SplitKTest, ADynamicNHasNoWorkspace) {
  Graph graph = ProductGraph(DType::kBf16, 16, 16, 65536);
  graph.n = std::nullopt;
  const auto configs = RankConfigs(graph, AmpereLimits(), {});
  ASSERT_TRUE(configs.ok());
  EXPECT_THAT(*configs, Each(Field(&KernelConfig::clusters_k, 1)));
}

}  // namespace
}  // namespace gemmd
