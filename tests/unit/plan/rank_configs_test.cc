#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "plan/config_space.h"
#include "plan/cost_model.h"
#include "plan/packing.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

using ::testing::HasSubstr;

std::vector<KernelConfig> Rank(const Graph& graph, const DeviceLimits& limits = HopperLimits(),
                               const ConfigPin& pin = {}) {
  const auto configs = RankConfigs(graph, limits, pin);
  EXPECT_TRUE(configs.ok()) << configs.status();
  return configs.ok() ? *configs : std::vector<KernelConfig>(1);
}

std::vector<int> TileOf(const KernelConfig& config) { return {config.tile_m, config.tile_n, config.tile_k}; }

TEST(RankConfigsTest, GivesLargeHalfProductsTheLargestTile) {
  const KernelConfig first = Rank(ProductGraph(DType::kF16, 8192, 8192, 8192)).front();
  EXPECT_EQ(first.family, Family::kWgmma);
  EXPECT_GE(first.micro_m * first.micro_n, 64 * 192);
  EXPECT_GE(first.stages, 3);
}

TEST(RankConfigsTest, GivesLargeHalfProductsOfOlderDevicesTheLargestTile) {
  const KernelConfig first = Rank(ProductGraph(DType::kF16, 8192, 8192, 8192), *LimitsOf(Arch{9, 0, false})).front();
  EXPECT_EQ(first.family, Family::kMma);
  EXPECT_EQ(first.tile_m * first.tile_n, 128 * 256);
  EXPECT_EQ(first.tile_k, 64);
  EXPECT_EQ(first.micro_m * first.micro_n, 64 * 64);
  EXPECT_EQ(first.stages, 3);
}

TEST(RankConfigsTest, GivesLargeGatesToWgmma) {
  Graph graph = GatedGraph();
  graph.m = graph.k = 4096;
  graph.n = 8192;
  for (const Layout layout : {Layout::kRowMajor, Layout::kColumnMajor}) {
    graph.inputs[graph.b].layout = layout;
    EXPECT_EQ(Rank(graph).front().family, Family::kWgmma);
    EXPECT_EQ(Rank(graph, *LimitsOf(Arch{9, 0, false})).front().family, Family::kMma);
  }
}

TEST(RankConfigsTest, PacksWhatTheCopyEngineCantReach) {
  const auto first = [](const Graph& graph, const Assumptions& assumptions) {
    return RankConfigs(graph, HopperLimits(), {}, assumptions)->front();
  };
  const auto expect = [](const KernelConfig& config, Packing packing) {
    EXPECT_EQ(config.family, Family::kWgmma);
    EXPECT_EQ(config.packing, packing);
  };
  const Graph aligned = ProductGraph(DType::kF16, 4096, 4096, 4096);
  expect(first(aligned, {{16, 16}, {2}}), Packing::kNone);
  expect(first(aligned, {{2, 16}, {16}}), Packing::kA);
  expect(first(aligned, {{16, 8}, {16}}), Packing::kB);
  expect(first(aligned, {{2, 2}, {2}}), Packing::kBoth);
  expect(first(ProductGraph(DType::kF16, 4096, 4096, 4095), {}), Packing::kA);
  expect(first(ProductGraph(DType::kF16, 4096, 4095, 4096), {}), Packing::kB);
  // Slices of wider matrices, and dims that only the launch knows.
  expect(first(ProductGraph(DType::kF16, 4096, 4090, 4093), {{16, 16}, {4}}), Packing::kNone);
  const Graph dynamic = ProductGraph(DType::kF16, 4096, std::nullopt, std::nullopt);
  expect(first(dynamic, {{16, 16}, {16}}), Packing::kNone);
  expect(first(dynamic, {}), Packing::kBoth);
}

TEST(RankConfigsTest, PacksNothingThatIsReadyForTheProduct) {
  for (const KernelConfig& config : Rank(ProductGraph(DType::kF16, 4096, 4096, 4096))) {
    EXPECT_EQ(config.packing, Packing::kNone);
  }
}

TEST(RankConfigsTest, PacksOnlyWhereThatPays) {
  // One row: packing B would move more bytes than the product reads.
  EXPECT_NE(Rank(ProductGraph(DType::kF16, 1, 4095, 4096)).front().family, Family::kWgmma);
}

TEST(RankConfigsTest, GivesSmallHalfProductsTilesThatFillTheDevice) {
  const KernelConfig first = Rank(ProductGraph(DType::kBf16, 512, 512, 512)).front();
  EXPECT_LE(first.tile_m * first.tile_n, 64 * 128);
}

TEST(RankConfigsTest, GivesLargeFloatProductsTheLargestThreadTile) {
  const KernelConfig first = Rank(ProductGraph(DType::kF32, 4096, 4096, 4096)).front();
  EXPECT_EQ(first.family, Family::kSimt);
  EXPECT_EQ(first.micro_m, 8);
  EXPECT_EQ(first.micro_n, 8);
  EXPECT_GT(first.stages, kRegisterStages);
  EXPECT_GE(first.tile_m * first.tile_n, 128 * 64);
}

TEST(RankConfigsTest, GivesSmallFloatProductsSmallTiles) {
  const KernelConfig first = Rank(ProductGraph(DType::kF32, 256, 256, 512)).front();
  EXPECT_LE(first.tile_m * first.tile_n, 64 * 32);
}

TEST(RankConfigsTest, GivesFewRowsToSkinny) {
  for (const std::int64_t m : {1, 16, 40, 64}) {
    const KernelConfig first = Rank(ProductGraph(DType::kBf16, m, 4096, 4096)).front();
    EXPECT_EQ(first.family, Family::kSkinny) << m;
    EXPECT_GE(first.tile_m, m);
  }
  // Many clusters of one tile would leave the last of them too much to add up.
  EXPECT_LE(Rank(ProductGraph(DType::kBf16, 128, 128, 16384)).front().clusters_k, 8);
  const auto ranks = [](const Graph& graph, const DeviceLimits& limits = HopperLimits()) {
    const std::vector<KernelConfig> ranked = Rank(graph, limits);
    return std::ranges::find(ranked, Family::kSkinny, &KernelConfig::family) != ranked.end();
  };
  EXPECT_TRUE(ranks(ProductGraph(DType::kF16, 16, 4096, 4096)));
  EXPECT_FALSE(ranks(ProductGraph(DType::kF16, 4096, 4096, 4096))) << "memory is not what it waits for";
  EXPECT_FALSE(ranks(ProductGraph(DType::kF16, 16, 4095, 4096))) << "out of the copy engine's reach";
  EXPECT_FALSE(ranks(ProductGraph(DType::kF32, 16, 4096, 4096)));
  EXPECT_FALSE(ranks(ProductGraph(DType::kF16, 16, 4096, 4096), *LimitsOf(Arch{8, 0, false})));
}

TEST(RankConfigsTest, KeepsToASkinnyPinWhateverTheShape) {
  ConfigPin pin;
  pin.schedule = "skinny";
  for (const std::int64_t k : {0, 8, 8192}) {
    const std::vector<KernelConfig> configs = Rank(ProductGraph(DType::kBf16, 8192, 8192, k), HopperLimits(), pin);
    EXPECT_FALSE(configs.empty()) << k;
    for (const KernelConfig& config : configs) EXPECT_EQ(config.family, Family::kSkinny);
  }
}

TEST(RankConfigsTest, GivesThinProductsThinTiles) {
  EXPECT_LE(Rank(ProductGraph(DType::kF16, 16, 8192, 8192)).front().tile_m, 64);
}

TEST(RankConfigsTest, UsesNoTensorCoresForFloats) {
  for (const KernelConfig& config : Rank(ProductGraph(DType::kF32, 4096, 4096, 4096))) {
    EXPECT_EQ(config.family, Family::kSimt);
  }
}

TEST(RankConfigsTest, GivesTf32ToWgmma) {
  const Graph graph = AsTf32(ProductGraph(DType::kF32, 4096, 4096, 4096));
  const KernelConfig first = Rank(graph).front();
  EXPECT_EQ(first.family, Family::kWgmma);
  EXPECT_EQ(first.tile_k, 32);
  EXPECT_GE(first.micro_m * first.micro_n, 64 * 192);
  EXPECT_EQ(Rank(graph, *LimitsOf(Arch{9, 0, false})).front().family, Family::kSimt);
}

TEST(RankConfigsTest, PacksTf32FactorsThatDoNotRunAlongK) {
  Graph graph = AsTf32(ProductGraph(DType::kF32, 4096, 4096, 4096));
  const auto expect = [&](Layout a, Layout b, Packing packing) {
    graph.inputs[graph.a].layout = a;
    graph.inputs[graph.b].layout = b;
    EXPECT_EQ(Rank(graph).front().packing, packing);
  };
  expect(Layout::kRowMajor, Layout::kColumnMajor, Packing::kNone);
  expect(Layout::kRowMajor, Layout::kRowMajor, Packing::kB);
  expect(Layout::kColumnMajor, Layout::kColumnMajor, Packing::kA);
  expect(Layout::kColumnMajor, Layout::kRowMajor, Packing::kBoth);
}

TEST(RankConfigsTest, PacksBothFactorsOfThreeProducts) {
  const Graph graph = AsTf32(ProductGraph(DType::kF32, 4096, 4096, 4096), Precision::kTf32x3);
  EXPECT_EQ(Rank(graph).front().packing, Packing::kBoth);
}

TEST(RankConfigsTest, EndsWithThePortableKernel) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBf16}) {
    const Graph graph = ProductGraph(dtype, std::nullopt, 4096, 4096);
    EXPECT_EQ(Rank(graph).back(), PortableConfig(graph)) << Name(dtype);
  }
}

TEST(RankConfigsTest, ListsAHandfulOfDistinctLegalConfigs) {
  for (const char* arch : {"sm_80", "sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120a"}) {
    const DeviceLimits limits = *LimitsOf(*ArchFromName(arch));
    const std::vector<KernelConfig> configs = Rank(ChainGraph(), limits);
    EXPECT_GT(configs.size(), 5u);
    EXPECT_LE(configs.size(), 40u);
    for (std::size_t i = 0; i < configs.size(); ++i) {
      EXPECT_TRUE(CheckConfig(configs[i], ChainGraph(), limits).ok()) << arch;
      EXPECT_EQ(std::count(configs.begin(), configs.end(), configs[i]), 1) << arch;
    }
  }
}

TEST(RankConfigsTest, OffersSeveralTiles) {
  std::set<std::vector<int>> tiles;
  for (const KernelConfig& config : Rank(ProductGraph(DType::kF16, 8192, 8192, 8192))) {
    if (config.family == Family::kMma) tiles.insert({config.tile_m, config.tile_n, config.micro_m, config.micro_n});
  }
  EXPECT_GE(tiles.size(), 6u);
}

TEST(RankConfigsTest, PlansForANominalExtentWhereDimsAreDynamic) {
  EXPECT_EQ(Rank(ProductGraph(DType::kF16, std::nullopt, 4096, 4096)),
            Rank(ProductGraph(DType::kF16, kNominalExtent, 4096, 4096)));
}

TEST(RankConfigsTest, PlansEmptyProducts) {
  EXPECT_FALSE(Rank(ProductGraph(DType::kF16, 0, 128, 128)).empty());
  EXPECT_FALSE(Rank(ProductGraph(DType::kF16, 128, 128, 0)).empty());
}

TEST(RankConfigsTest, KeepsToAPin) {
  const Graph graph = ProductGraph(DType::kF16, 4096, 4096, 4096);
  for (const KernelConfig& config : Rank(graph, HopperLimits(), {"mma", {128, 128, 32}, 5})) {
    EXPECT_EQ(config.family, Family::kMma);
    EXPECT_EQ(TileOf(config), (std::vector<int>{128, 128, 32}));
    EXPECT_EQ(config.stages, 5);
  }
  for (const KernelConfig& config : Rank(graph, HopperLimits(), {"simt", {}, {}})) {
    EXPECT_EQ(config.family, Family::kSimt);
  }
}

TEST(RankConfigsTest, FindsAPinThatRanksLow) {
  const KernelConfig first =
      Rank(ProductGraph(DType::kF16, 8192, 8192, 8192), HopperLimits(), {"", {32, 32, 32}, 2})[0];
  EXPECT_EQ(TileOf(first), (std::vector<int>{32, 32, 32}));
}

TEST(RankConfigsTest, RefusesAnIllegalPin) {
  const Graph halves = ProductGraph(DType::kF16, 64, 64, 64), floats = ProductGraph(DType::kF32, 64, 64, 64);
  for (const ConfigPin& pin : {ConfigPin{"mma", {128, 128, 48}, {}}, ConfigPin{"", {100, 100, 64}, {}},
                               ConfigPin{"mma", {256, 128, 64}, 6}, ConfigPin{"simt", {}, 9}}) {
    const absl::Status status = RankConfigs(halves, HopperLimits(), pin).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("config: "));
  }
  EXPECT_EQ(RankConfigs(floats, HopperLimits(), {"mma", {}, {}}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(RankConfigsTest, RefusesWhatNothingComputes) {
  const Graph graph = ProductGraph(DType::kF8E4M3, 64, 64, 64);
  EXPECT_EQ(RankConfigs(graph, HopperLimits(), {}).status().code(), absl::StatusCode::kUnimplemented);
}

// IEEE's products are within the tolerance of every precision.
TEST(RankConfigsTest, SimtComputesEveryPrecisionOnEveryArch) {
  Graph graph = ProductGraph(DType::kF32, 1000, 333, 77);
  for (const Precision precision : {Precision::kIeee, Precision::kTf32, Precision::kTf32x3}) {
    graph.precision = precision;
    for (const char* arch : {"sm_80", "sm_89", "sm_90a", "sm_100a", "sm_120a"}) {
      const auto ranked = RankConfigs(graph, *LimitsOf(*ArchFromName(arch)), {});
      ASSERT_TRUE(ranked.ok()) << ranked.status();
      EXPECT_EQ(ranked->back(), PortableConfig(graph)) << Name(precision) << " on " << arch;
      EXPECT_TRUE(RankConfigs(graph, *LimitsOf(*ArchFromName(arch)), {"simt", {}, {}}).ok());
    }
  }
}

TEST(RankConfigsTest, OffersProloguesPackedAndInPlace) {
  const auto ranked = RankConfigs(PrologueGraph(), HopperLimits(), {});
  ASSERT_TRUE(ranked.ok()) << ranked.status();
  EXPECT_EQ(ranked->back().family, Family::kSimt);
  std::set<Packing> packings;
  for (const KernelConfig& config : *ranked) {
    packings.insert(config.packing);
    // wgmma multiplies B straight from shared memory.
    if (config.family == Family::kWgmma) {
      EXPECT_TRUE(PacksB(config.packing)) << Name(config.packing);
    }
    if (config.family == Family::kMma) {
      EXPECT_LE(config.micro_m * config.micro_n, 64 * 32);
    }
  }
  EXPECT_TRUE(packings.contains(Packing::kNone));
  EXPECT_TRUE(packings.contains(Packing::kB) || packings.contains(Packing::kBoth));
}

TEST(EstimateTest, AProloguesOperationsCost) {
  Graph graph = ProductGraph(DType::kF16, 1024, 1024, 1024);
  const KernelConfig config = PortableConfig(graph);
  const double without = EstimateCycles(config, graph, HopperLimits());
  graph.prologue_a = {Node{.kind = OpKind::kRelu}};
  const double one = EstimateCycles(config, graph, HopperLimits());
  graph.prologue_b = {Node{.kind = OpKind::kRelu}};
  EXPECT_GT(one, without);
  EXPECT_GT(EstimateCycles(config, graph, HopperLimits()), one);
}

// Where a factor can't be taken by 16 bytes at a time.
TEST(EstimateTest, NarrowAccessesCost) {
  const auto legal = LegalConfigs(Family::kMma, ProductGraph(DType::kBf16, 8064, 4544, 24), HopperLimits());
  ASSERT_FALSE(legal.empty());
  const auto cycles = [&](std::int64_t n) {
    return EstimateCycles(legal.front(), ProductGraph(DType::kBf16, 8064, n, 24), HopperLimits());
  };
  EXPECT_GT(cycles(4542), cycles(4544));
  EXPECT_GT(cycles(4541), cycles(4544));
}

// Lines that don't start on 128 bytes keep the copy engine longer; packed ones do.
TEST(EstimateTest, BrokenLinesCost) {
  Graph graph = ProductGraph(DType::kBf16, 4096, 4096, 4160);
  graph.inputs[graph.b].layout = Layout::kColumnMajor;
  KernelConfig config = Rank(graph).front();
  EXPECT_EQ(config.family, Family::kWgmma);
  const auto cycles = [&](std::int64_t k, Packing packing) {
    graph.k = k;
    config.packing = packing;
    return EstimateCycles(config, graph, HopperLimits());
  };
  EXPECT_GT(cycles(4104, Packing::kNone), cycles(4160, Packing::kNone) * 1.2);
  EXPECT_LT(cycles(4104, Packing::kBoth) / cycles(4160, Packing::kBoth), 1.05);
}

TEST(CtasPerSmTest, CountsSharedMemoryThreadsAndRegisters) {
  const Graph graph = ProductGraph(DType::kF16, 4096, 4096, 4096);
  for (const KernelConfig& config : LegalConfigs(Family::kMma, graph, HopperLimits())) {
    const int ctas = CtasPerSm(config, HopperLimits());
    EXPECT_GE(ctas, 1);
    EXPECT_LE(ctas * (config.shared_bytes + 1024), HopperLimits().shared_bytes_per_sm);
    EXPECT_LE(ctas * config.threads, 2048);
  }
}

TEST(EstimateTest, GrowsWithTheProduct) {
  const KernelConfig config = PortableConfig(ProductGraph(DType::kF32, 64, 64, 64));
  double last = 0;
  for (std::int64_t extent : {64, 512, 1024, 4096, 16384}) {
    const double cycles = EstimateCycles(config, ProductGraph(DType::kF32, extent, extent, extent), HopperLimits());
    EXPECT_GT(cycles, last) << extent;
    last = cycles;
  }
}

}  // namespace
}  // namespace gemmd
