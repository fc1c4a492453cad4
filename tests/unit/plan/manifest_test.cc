#include "plan/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/config_space.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;

Manifest SampleManifest() {
  const Graph graph = ChainGraph();
  return MakeManifest(graph, PlanWith(graph, PortableConfig(graph), HopperLimits(), {{16, 16, 16, 8, 16, 16}, {}}),
                      {"abc"});
}

TEST(ParamLayoutTest, OrdersPointersLeadingDimensionsExtentsAndScalars) {
  // Inputs: 0 x, 1 w, 2 shift (scalar), 3 residual, 4 bias, 5 row_scale; four outputs.
  EXPECT_THAT(ParamLayout(ChainGraph(), {}),
              ElementsAre(ParamField{ParamKind::kInputPointer, 0, 0}, ParamField{ParamKind::kInputPointer, 1, 8},
                          ParamField{ParamKind::kInputPointer, 3, 16}, ParamField{ParamKind::kInputPointer, 4, 24},
                          ParamField{ParamKind::kInputPointer, 5, 32}, ParamField{ParamKind::kOutputPointer, 0, 40},
                          ParamField{ParamKind::kOutputPointer, 1, 48}, ParamField{ParamKind::kOutputPointer, 2, 56},
                          ParamField{ParamKind::kOutputPointer, 3, 64}, ParamField{ParamKind::kInputLd, 0, 72},
                          ParamField{ParamKind::kInputLd, 1, 80}, ParamField{ParamKind::kInputLd, 3, 88},
                          ParamField{ParamKind::kOutputLd, 0, 96}, ParamField{ParamKind::kOutputLd, 1, 104},
                          ParamField{ParamKind::kOutputLd, 2, 112}, ParamField{ParamKind::kOutputLd, 3, 120},
                          ParamField{ParamKind::kM, 0, 128}, ParamField{ParamKind::kN, 0, 132},
                          ParamField{ParamKind::kK, 0, 136}, ParamField{ParamKind::kScalar, 2, 140}));
}

TEST(ParamLayoutTest, RoundsItsSizeUpToEight) {
  EXPECT_EQ(ParamBytes(ParamLayout(ChainGraph(), {})), 144);
  EXPECT_EQ(ParamBytes(ParamLayout(ProductGraph(DType::kF32, 1, 1, 1), {})), 64);
  EXPECT_EQ(ParamBytes({}), 0);
}

TEST(MakeManifestTest, DescribesTheLaunch) {
  const Manifest manifest = SampleManifest();
  const KernelConfig config = PortableConfig(ChainGraph());
  ASSERT_EQ(manifest.variants.size(), 1u);
  ASSERT_EQ(manifest.variants[0].launches.size(), 1u);
  const LaunchStep& step = manifest.variants[0].launches[0];
  EXPECT_EQ(step.entry, kKernelEntry);
  EXPECT_EQ(step.module, 0);
  EXPECT_EQ(step.grid, (GridFormula{config.tile_m, config.tile_n}));
  EXPECT_EQ(step.block, (Dim3{config.threads, 1, 1}));
  EXPECT_EQ(step.shared_bytes, config.shared_bytes);
  EXPECT_EQ(step.params, ParamLayout(ChainGraph(), {}));
  EXPECT_EQ(step.param_bytes, 144);
}

TEST(MakeManifestTest, DescribesTheTensorsWithoutNames) {
  const Manifest manifest = SampleManifest();
  std::vector<std::string> extents;
  for (const ManifestTensor& tensor : manifest.inputs) {
    EXPECT_EQ(tensor.name, "");
    extents.push_back(tensor.extents);
  }
  EXPECT_THAT(extents, ElementsAre("M,K", "K,N", "", "M,N", "N", "M"));
  ASSERT_EQ(manifest.outputs.size(), 4u);
  EXPECT_EQ(manifest.outputs[1], (ManifestTensor{"", DType::kF32, Layout::kRowMajor, "M,N", 16}));
  EXPECT_EQ(manifest.inputs[1].layout, Layout::kColumnMajor);
}

TEST(MakeManifestTest, SaysWhichTensorsHaveHalfOfN) {
  const Graph graph = GatedGraph();
  const Manifest manifest =
      MakeManifest(graph, PlanWith(graph, PortableConfig(graph), HopperLimits(), Assumptions{}), {"abc"});
  EXPECT_EQ(manifest.inputs[3].extents, "N/2");
  EXPECT_EQ(manifest.inputs[4].extents, "M,N/2");
  EXPECT_EQ(manifest.outputs[0].extents, "M,N");
  EXPECT_EQ(manifest.outputs[1].extents, "M,N/2");
  const auto read = ManifestFromJson(ManifestToJson(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, manifest);
}

// Skinny's lines are 128 bytes, and L2 fetches no more of them; wgmma's boxes profit from 256.
TEST(TensorMapsTest, SkinnyAsksL2ForItsLinesAlone) {
  const Graph graph = ProductGraph(DType::kBf16, 16, 4096, 4096);
  for (const Family family : {Family::kSkinny, Family::kWgmma}) {
    const KernelConfig config = LegalConfigs(family, graph, HopperLimits()).front();
    const std::vector<TensorMapRecipe> maps = TensorMapsOf(graph, config);
    ASSERT_EQ(maps.size(), 2u);
    EXPECT_EQ(maps[0].box_lines, config.tile_m);
    EXPECT_EQ(maps[1].box_lines, 64);
    for (const TensorMapRecipe& map : maps) EXPECT_EQ(map.l2_promotion_bytes, family == Family::kSkinny ? 128 : 256);
  }
}

TEST(TensorMapsTest, AreOfOneHalfOfAGatesColumnsAtATime) {
  Graph graph = ChainGraph();  // both contiguous in K
  const KernelConfig config = LegalConfigs(Family::kWgmma, graph, HopperLimits()).back();
  std::vector<TensorMapRecipe> maps = TensorMapsOf(graph, config);
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[0], (TensorMapRecipe{graph.a, 64, config.tile_m}));
  EXPECT_EQ(maps[1], (TensorMapRecipe{graph.b, 64, config.tile_n}));
  graph = GatedGraph();
  maps = TensorMapsOf(graph, config);
  EXPECT_EQ(maps[0], (TensorMapRecipe{graph.a, 64, config.tile_m}));
  EXPECT_EQ(maps[1], (TensorMapRecipe{graph.b, 64, config.tile_n / 2}));
  graph.inputs[graph.b].layout = Layout::kRowMajor;
  EXPECT_EQ(TensorMapsOf(graph, config)[1], (TensorMapRecipe{graph.b, 64, 64}));
}

TEST(TensorMapsTest, OfFloatsHaveTheSameBytesALine) {
  const Graph graph = AsTf32(ChainGraph());
  const KernelConfig config = LegalConfigs(Family::kWgmma, graph, HopperLimits()).back();
  const std::vector<TensorMapRecipe> maps = TensorMapsOf(graph, config);
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[0], (TensorMapRecipe{graph.a, 32, config.tile_m}));
  EXPECT_EQ(maps[1], (TensorMapRecipe{graph.b, 32, config.tile_n}));
}

TEST(MakeManifestTest, CarriesTheIdsAndAlignmentsOfThePlan) {
  const Manifest manifest = SampleManifest();
  EXPECT_EQ(manifest.spec_id, SpecId(ChainGraph()));
  EXPECT_EQ(manifest.plan_id.size(), 64u);
  EXPECT_THAT(manifest.cubin_keys, ElementsAre("abc"));
  EXPECT_EQ(manifest.arch, HopperLimits().arch);
  EXPECT_EQ(manifest.inputs[3].alignment_bytes, 8);
  EXPECT_EQ(manifest.outputs[3].alignment_bytes, 16);
  EXPECT_EQ(manifest.m, std::nullopt);
  EXPECT_EQ(manifest.n, 256);
}

TEST(ManifestJsonTest, ReadsBackAsTheSameManifest) {
  Manifest manifest = SampleManifest();
  manifest.inputs[0].name = "x";
  manifest.intermediates = {{"", DType::kF32, Layout::kRowMajor, "M,N"}};
  manifest.variants[0].m_max = 64;
  manifest.variants.push_back(manifest.variants[0]);
  manifest.variants[1].m_min = 65;
  manifest.variants[1].workspace = {128, 4, 4096};
  manifest.variants[1].m_max = INT64_MAX;
  manifest.variants[1].launches[0].cluster = {2, 1, 1};
  manifest.variants[1].launches[0].cooperative = true;
  manifest.variants[1].launches[0].grid.least_ctas = 17;
  manifest.variants[1].launches[0].grid.ctas_per_tile = 16;
  manifest.variants[1].launches[0].programmatic_dependent = true;
  const auto read = ManifestFromJson(ManifestToJson(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, manifest);
}

TEST(ManifestJsonTest, ReadsBackWithoutCubins) {
  Manifest manifest = SampleManifest();
  manifest.cubin_keys.clear();
  const auto read = ManifestFromJson(ManifestToJson(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, manifest);
}

TEST(ManifestJsonTest, IsDeterministic) {
  EXPECT_EQ(ManifestToJson(SampleManifest()), ManifestToJson(SampleManifest()));
}

TEST(ManifestJsonTest, RefusesDamage) {
  const std::string text = ManifestToJson(SampleManifest());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"{", ""},
           {"\"version\": 3", "\"version\": 2"},
           {"\"arch\": \"sm_90a\"", "\"arch\": \"sm_9\""},
           {"\"module\": 0", "\"module\": 1"},
           {"\"tile_m\": 64", "\"tile_m\": 0"},
           {"\"index\": 5", "\"index\": 6"},
           {"\"offset_bytes\": 140", "\"offset_bytes\": 144"},
           {"\"param_bytes\": 144", "\"param_bytes\": 99999999"},
           {"\"kind\": \"scalar\"", "\"kind\": \"vector\""},
           {"\"extents\": \"K,N\"", "\"extents\": \"N,K\""},
           {"\"plan_id\"", "\"plan\""},
           {"\"alignment_bytes\": 8", "\"alignment_bytes\": 0"},
           {"\"m_max\": 9223372036854775807", "\"m_max\": 9223372036854775808"}}) {
    std::string damaged = text;
    const std::size_t at = damaged.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    damaged.replace(at, from.size(), to);
    EXPECT_EQ(ManifestFromJson(damaged).status().code(), absl::StatusCode::kDataLoss) << to;
  }
}

}  // namespace
}  // namespace gemmd
