#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "plan/config_space.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

KernelConfig BigMma() {
  return {.family = Family::kMma,
          .tile_m = 128,
          .tile_n = 256,
          .tile_k = 64,
          .micro_m = 64,
          .micro_n = 64,
          .stages = 4,
          .group_m = 8,
          .threads = 256,
          .shared_bytes = 4 * 49152};
}

KernelConfig BigSimt() {
  return {.family = Family::kSimt,
          .tile_m = 128,
          .tile_n = 128,
          .tile_k = 16,
          .micro_m = 8,
          .micro_n = 8,
          .stages = 2,
          .group_m = 8,
          .threads = 256,
          .shared_bytes = 2 * 16 * (128 + 128 + 8) * 4};
}

Graph HalfGraph() { return ProductGraph(DType::kF16, 4096, 4096, 4096); }

TEST(SharedBytesTest, IsThePipelineOfMma) { EXPECT_EQ(SharedBytes(BigMma(), HalfGraph()), 196608); }

TEST(SharedBytesTest, IsTheEpilogueOfMmaWhereThatIsLarger) {
  KernelConfig config = BigMma();
  config.tile_m = config.tile_n = 32;
  config.tile_k = 32;
  config.micro_m = 16;
  config.micro_n = 32;
  config.stages = 2;
  config.threads = 64;
  EXPECT_EQ(SharedBytes(config, HalfGraph()), 8192);
  config.micro_n = 128;
  config.tile_n = 128;
  config.threads = 256;
  EXPECT_EQ(SharedBytes(config, HalfGraph()), 8 * 16 * 136 * 4);
}

TEST(SharedBytesTest, IsPaddedFloatTilesOfSimt) {
  EXPECT_EQ(SharedBytes(BigSimt(), ProductGraph(DType::kF16, 8, 8, 8)), 33792);
}

TEST(CheckConfigTest, AcceptsTheTypicalConfigs) {
  EXPECT_TRUE(CheckConfig(BigMma(), HalfGraph(), HopperLimits()).ok());
  EXPECT_TRUE(CheckConfig(BigSimt(), HalfGraph(), HopperLimits()).ok());
}

TEST(CheckConfigTest, LeavesWarpTilesThatSpillOutOnSm100) {
  const DeviceLimits limits = *LimitsOf(Arch{10, 0, true});
  KernelConfig config = BigMma();
  EXPECT_FALSE(CheckConfig(config, HalfGraph(), limits).ok());
  config.tile_n = 128;
  config.micro_n = 32;
  config.shared_bytes = SharedBytes(config, HalfGraph());
  EXPECT_TRUE(CheckConfig(config, HalfGraph(), limits).ok()) << CheckConfig(config, HalfGraph(), limits);
}

TEST(CheckConfigTest, LeavesTheLargestWarpTilesToChainsOfFewTensors) {
  Graph graph = HalfGraph();
  graph.outputs.resize(6, {DType::kF16});
  EXPECT_TRUE(CheckConfig(BigMma(), graph, HopperLimits()).ok());
  graph.outputs.resize(7, {DType::kF16});
  EXPECT_FALSE(CheckConfig(BigMma(), graph, HopperLimits()).ok());
}

struct Illegal {
  const char* field;
  bool simt;
  std::function<void(KernelConfig&)> change;
};

const Illegal kIllegal[] = {
    {"tile_m", false, [](KernelConfig& c) { c.tile_m = 96; }},
    {"tile_n", false, [](KernelConfig& c) { c.tile_n = 512; }},
    {"tile_k", false, [](KernelConfig& c) { c.tile_k = 16; }},
    {"micro_m", false, [](KernelConfig& c) { c.micro_m = 8; }},
    {"micro_n", false, [](KernelConfig& c) { c.micro_n = 16; }},
    {"micro_m", false, [](KernelConfig& c) { c.micro_m = 128; }},
    {"stages", false, [](KernelConfig& c) { c.stages = 1; }},
    {"stages", false, [](KernelConfig& c) { c.stages = 7; }},
    {"threads", false, [](KernelConfig& c) { c.threads = 128; }},
    {"group_m", false, [](KernelConfig& c) { c.group_m = 0; }},
    {"shared_bytes", false, [](KernelConfig& c) { c.shared_bytes += 16; }},
    {"shared_bytes", false,
     [](KernelConfig& c) {
       c.stages = 6;
       c.shared_bytes = 6 * 49152;
     }},
    {"tile_m", true, [](KernelConfig& c) { c.tile_m = 48; }},
    {"tile_n", true, [](KernelConfig& c) { c.tile_n = 288; }},
    {"tile_k", true, [](KernelConfig& c) { c.tile_k = 64; }},
    {"micro_m", true, [](KernelConfig& c) { c.micro_m = 16; }},
    {"micro_n", true, [](KernelConfig& c) { c.micro_n = 2; }},
    {"micro_n", true, [](KernelConfig& c) { c.tile_n = 32; }},
    {"stages", true, [](KernelConfig& c) { c.stages = 3; }},
    {"threads", true, [](KernelConfig& c) { c.threads = 512; }},
    {"threads", true,
     [](KernelConfig& c) {
       c.tile_m = c.tile_n = 256;
       c.threads = 1024;
     }},
};

TEST(CheckConfigTest, NamesTheIllegalField) {
  for (const Illegal& illegal : kIllegal) {
    KernelConfig config = illegal.simt ? BigSimt() : BigMma();
    illegal.change(config);
    const absl::Status status = CheckConfig(config, HalfGraph(), HopperLimits());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << illegal.field;
    EXPECT_EQ(std::string(status.message()).find(std::string("config.") + illegal.field + ":"), 0u) << status;
  }
}

TEST(CheckConfigTest, KeepsMmaFromFloatsAndOldDevices) {
  EXPECT_FALSE(CheckConfig(BigMma(), ProductGraph(DType::kF32, 64, 64, 64), HopperLimits()).ok());
  DeviceLimits turing = HopperLimits();
  turing.arch = {7, 5, false};
  EXPECT_FALSE(CheckConfig(BigMma(), HalfGraph(), turing).ok());
}

TEST(CheckConfigTest, WantsAThreadForEachElementOfAnMmaLine) {
  KernelConfig config = BigMma();
  config.tile_m = 64;
  config.threads = 128;
  config.shared_bytes = 4 * 40960;
  Graph graph = HalfGraph();
  EXPECT_FALSE(CheckConfig(config, graph, HopperLimits()).ok());  // B's lines are 256 columns
  graph.inputs[1].layout = Layout::kColumnMajor;
  EXPECT_TRUE(CheckConfig(config, graph, HopperLimits()).ok());  // B's lines are 64 of K
}

TEST(LegalConfigsTest, AreLegalAndDistinctAndMany) {
  for (Family family : {Family::kSimt, Family::kMma, Family::kWgmma, Family::kSkinny}) {
    const std::vector<KernelConfig> configs = LegalConfigs(family, HalfGraph(), HopperLimits());
    EXPECT_GE(configs.size(), 40u) << Name(family);
    for (std::size_t i = 0; i < configs.size(); ++i) {
      ASSERT_TRUE(CheckConfig(configs[i], HalfGraph(), HopperLimits()).ok());
      ASSERT_TRUE(i == 0 || configs[i] != configs[i - 1]);
    }
  }
}

TEST(CheckConfigTest, SkinnyWantsLinesOfAAlongKForFewRows) {
  Graph graph = ProductGraph(DType::kF16, 64, 4096, 4096);
  KernelConfig config = LegalConfigs(Family::kSkinny, graph, HopperLimits()).front();
  EXPECT_EQ(config.tile_m, 16);
  graph.inputs[graph.a].layout = Layout::kColumnMajor;
  EXPECT_FALSE(CheckConfig(config, graph, HopperLimits()).ok());
  for (const KernelConfig& legal : LegalConfigs(Family::kSkinny, graph, HopperLimits())) EXPECT_EQ(legal.tile_m, 64);
}

// Its CTAs of a cluster leave each other their shares beside the ring.
TEST(SharedBytesTest, ASkinnyClusterHasRoomForWhatItsCtasPush) {
  const Graph graph = ProductGraph(DType::kF16, 16, 4096, 4096);
  KernelConfig config = LegalConfigs(Family::kSkinny, graph, HopperLimits()).front();
  const std::int64_t alone = SharedBytes(config, graph);
  config.cluster_k = 4;
  EXPECT_EQ(SharedBytes(config, graph), alone + config.tile_m * config.tile_n * 4);
}

TEST(PortableConfigTest, IsLegalOnEveryArchForEveryTypeAndLayout) {
  for (const char* name : {"sm_80", "sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120a"}) {
    for (DType dtype : {DType::kF32, DType::kF16, DType::kBf16}) {
      for (Layout layout : {Layout::kRowMajor, Layout::kColumnMajor}) {
        Graph graph = ProductGraph(dtype, std::nullopt, std::nullopt, std::nullopt);
        graph.inputs[0].layout = graph.inputs[1].layout = layout;
        EXPECT_TRUE(CheckConfig(PortableConfig(graph), graph, *LimitsOf(*ArchFromName(name))).ok()) << name;
      }
    }
  }
}

TEST(FamilyTest, NamesReadBack) {
  for (Family family : {Family::kSimt, Family::kMma, Family::kWgmma, Family::kSkinny}) {
    EXPECT_EQ(FamilyFromName(Name(family)), family);
  }
  EXPECT_EQ(FamilyFromName("tcgen05"), std::nullopt);
}

TEST(CheckConfigTest, AGateNeedsColumnsOfBothHalvesInEveryThreadOrWarp) {
  const Graph graph = GatedGraph();
  const DeviceLimits limits = HopperLimits();
  EXPECT_TRUE(CheckConfig(PortableConfig(graph), graph, limits).ok());
  EXPECT_FALSE(CheckConfig(PortableConfig(ChainGraph()), graph, limits).ok());
  for (const KernelConfig& config : LegalConfigs(Family::kSimt, graph, limits, {})) EXPECT_EQ(config.micro_n, 8);
  const std::vector<KernelConfig> mma = LegalConfigs(Family::kMma, graph, limits, {});
  EXPECT_FALSE(mma.empty());
  for (const KernelConfig& config : mma) EXPECT_GE(config.micro_n, 64);
}

// Of what packs nothing.
std::set<int> WgmmaTilesN(const Graph& graph) {
  std::set<int> tiles;
  for (const KernelConfig& config : LegalConfigs(Family::kWgmma, graph, HopperLimits())) {
    if (config.packing == Packing::kNone) tiles.insert(config.tile_n);
  }
  return tiles;
}

TEST(CheckConfigTest, TheCopyEngineFetchesTheHalvesOfAGateInWholeBoxes) {
  Graph graph = GatedGraph();
  EXPECT_EQ(WgmmaTilesN(graph), (std::set<int>{64, 128, 192, 256}));
  KernelConfig config = LegalConfigs(Family::kWgmma, graph, HopperLimits()).front();
  ASSERT_EQ(config.tile_n, 64);
  config.subtile_n = 64;
  config.shared_bytes = SharedBytes(config, graph);
  EXPECT_FALSE(CheckConfig(config, graph, HopperLimits()).ok());
  graph.inputs[graph.b].layout = Layout::kRowMajor;
  EXPECT_EQ(WgmmaTilesN(graph), (std::set<int>{128, 256}));
}

TEST(CheckConfigTest, TheCopyEngineStartsOnSixteenBytesOfTheSecondHalf) {
  Graph graph = GatedGraph();
  graph.n = 2 * 36;
  graph.inputs[graph.b].layout = Layout::kColumnMajor;
  EXPECT_FALSE(WgmmaTilesN(graph).empty()) << "it is a line";
  graph.inputs[graph.b].layout = Layout::kRowMajor;
  EXPECT_TRUE(WgmmaTilesN(graph).empty());
  graph.n = 2 * 40;
  EXPECT_FALSE(WgmmaTilesN(graph).empty());
}

TEST(CheckConfigTest, WgmmaTakesFloatsAsTf32) {
  Graph graph = ProductGraph(DType::kF32, 4096, 4096, 4096);
  for (const Precision precision : {Precision::kIeee, Precision::kTf32, Precision::kTf32x3}) {
    graph.precision = precision;
    EXPECT_EQ(LegalConfigs(Family::kWgmma, graph, HopperLimits()).empty(), precision == Precision::kIeee)
        << Name(precision);
  }
}

// A stage is as long in bytes, so it takes as much shared memory.
TEST(CheckConfigTest, AStageOfTf32HasHalfOfTheElements) {
  Graph halves = HalfGraph();
  halves.inputs[halves.b].layout = Layout::kColumnMajor;
  const Graph floats = AsTf32(halves);
  for (KernelConfig config : LegalConfigs(Family::kWgmma, halves, HopperLimits())) {
    ASSERT_EQ(config.tile_k, 64);
    EXPECT_FALSE(CheckConfig(config, floats, HopperLimits()).ok());
    config.tile_k = 32;
    EXPECT_EQ(SharedBytes(config, floats), config.shared_bytes);
    EXPECT_TRUE(CheckConfig(config, floats, HopperLimits()).ok());
  }
}

// Of two parts it has twice the bytes; and as many accumulators again hold a block's sums.
TEST(CheckConfigTest, ThreeProductsTakeTheirPartsInMemoryAndInRegisters) {
  const Graph graph = AsTf32(HalfGraph(), Precision::kTf32x3);
  const std::vector<KernelConfig> legal = LegalConfigs(Family::kWgmma, graph, HopperLimits());
  ASSERT_FALSE(legal.empty());
  for (const KernelConfig& config : legal) {
    EXPECT_GE(config.shared_bytes, config.stages * 2 * (config.tile_m + config.tile_n) * 128);
    EXPECT_LE(config.micro_m * config.micro_n, 64 * 192);
    EXPECT_EQ(config.packing, Packing::kBoth);
  }
}

// It is packed along K, where either half of N is lines.
TEST(CheckConfigTest, RowMajorBOfTf32MayHaveHalvesOfAnyWidth) {
  Graph graph = AsTf32(GatedGraph());
  graph.inputs[graph.b].layout = Layout::kRowMajor;
  graph.n = 2 * 36;
  std::set<int> tiles;
  for (const KernelConfig& config : LegalConfigs(Family::kWgmma, graph, HopperLimits())) tiles.insert(config.tile_n);
  EXPECT_EQ(tiles, (std::set<int>{64, 128, 192, 256}));
}

TEST(CheckConfigTest, LeavesRegistersToALongChainAfterAPrologue) {
  Graph graph = GatedGraph();
  graph.prologue_a = {Node{.kind = OpKind::kRelu}};
  ASSERT_FALSE(ChainOnFragments(graph));
  EXPECT_EQ(WgmmaTilesN(graph), (std::set<int>{64, 128, 192}));
}

TEST(ChainOnFragmentsTest, TakesAGateWithFewOtherOperations) {
  const auto node = [](OpKind kind, int input) { return Node{.kind = kind, .input = input}; };
  const auto reading = [](int input, int operand, Broadcast broadcast) {
    return Node{.kind = OpKind::kAdd, .input = input, .operand = operand, .broadcast = broadcast};
  };
  Graph graph = GatedGraph();
  graph.epilogue = {reading(0, 2, Broadcast::kRow), node(OpKind::kStore, 1), node(OpKind::kSwiglu, 2),
                    node(OpKind::kStore, 3)};
  EXPECT_TRUE(ChainOnFragments(graph));
  graph.epilogue = {node(OpKind::kSwiglu, 0), reading(1, 4, Broadcast::kFull), node(OpKind::kStore, 2)};
  EXPECT_TRUE(ChainOnFragments(graph));
  graph.epilogue = {node(OpKind::kSwiglu, 0), reading(1, 4, Broadcast::kFull), reading(2, 3, Broadcast::kRow),
                    node(OpKind::kStore, 3)};
  EXPECT_FALSE(ChainOnFragments(graph));
  graph.epilogue = {reading(0, 4, Broadcast::kFull), node(OpKind::kSwiglu, 1), node(OpKind::kStore, 2)};
  EXPECT_FALSE(ChainOnFragments(graph)) << "a matrix before the gate";
}

TEST(OutputSlicesTest, CountsBothHalvesOfWhatIsStoredBeforeAGate) {
  EXPECT_EQ(OutputSlices(ChainGraph()), 4);
  EXPECT_EQ(OutputSlices(GatedGraph()), 3);
}

}  // namespace
}  // namespace gemmd
