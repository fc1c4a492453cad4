#include "plan/row_kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/manifest.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// x [M, 512] * w [512, 256], all of it stored, normalised with a gain, stored, and summed by rows.
Graph NormedGraph(bool gated = false) {
  KernelSpec spec = ChainSpec();
  std::erase_if(spec.inputs,
                [](const auto& input) { return input.first != "x" && input.first != "w" && input.first != "bias"; });
  spec.inputs["bias"].shape = {gated ? ShapeEntry{std::int64_t{128}} : ShapeEntry{"N"}};
  spec.epilogue = {Store("aux", DType::kF16)};
  if (gated) spec.epilogue.push_back({.kind = OpKind::kSwiglu});
  spec.epilogue.push_back({.kind = OpKind::kRmsNorm, .weight = "bias"});
  spec.epilogue.push_back(Store("out", DType::kF16));
  spec.epilogue.push_back({.kind = OpKind::kRowSum});
  spec.epilogue.push_back(Store("sums", DType::kF32));
  return Canonicalize(spec).graph;
}

// The first choice that computes the reductions so.
KernelConfig ChoiceOf(const Graph& graph, RowSchedule rows) {
  const auto configs = RankConfigs(graph, HopperLimits(), {});
  EXPECT_TRUE(configs.ok()) << configs.status();
  const auto found = std::ranges::find(*configs, rows, &KernelConfig::rows);
  if (found != configs->end()) return *found;
  ADD_FAILURE() << "no choice is " << Name(rows);
  return {};
}

Plan PlanOf(const Graph& graph, RowSchedule rows) {
  return PlanWith(graph, ChoiceOf(graph, rows), HopperLimits(), Assumptions{});
}

std::vector<ParamKind> KindsOf(const LaunchStep& step) {
  std::vector<ParamKind> kinds;
  for (const ParamField& field : step.params) kinds.push_back(field.kind);
  return kinds;
}

TEST(RowKernelsTest, TheProductLeavesAMatrixOfFloats) {
  const Graph graph = NormedGraph();
  const Graph product = ProductBeforeRows(graph);
  ASSERT_EQ(product.epilogue.size(), 1u);
  EXPECT_EQ(product.epilogue[0].kind, OpKind::kStore);
  EXPECT_EQ(product.epilogue[0].input, 0);
  EXPECT_THAT(product.outputs, ElementsAre(GraphOutput{DType::kF32, {Axis::kM, Axis::kN}}));
  EXPECT_FALSE(ReducesRows(product));
}

TEST(RowKernelsTest, TheRowsGoThroughTheWholeChainFromThere) {
  const Graph graph = NormedGraph();
  const Graph rows = RowsOf(graph);
  EXPECT_EQ(rows.epilogue, graph.epilogue);
  EXPECT_EQ(rows.outputs, graph.outputs);
  EXPECT_EQ(rows.b, -1);
  EXPECT_EQ(rows.inputs[rows.a], (GraphInput{DType::kF32, Layout::kRowMajor, {Axis::kM, Axis::kN}}));
}

TEST(RowKernelsTest, AGateStaysWithTheProduct) {
  const Graph graph = NormedGraph(true);
  const Graph product = ProductBeforeRows(graph), rows = RowsOf(graph);
  EXPECT_TRUE(product.IsGated());
  EXPECT_THAT(product.outputs, ElementsAre(graph.outputs[0], GraphOutput{DType::kF32, {Axis::kM, Axis::kHalfN}}));
  EXPECT_FALSE(rows.IsGated());
  EXPECT_EQ(rows.epilogue.front().kind, OpKind::kRmsNorm);
  EXPECT_EQ(rows.epilogue.front().input, 0);
  EXPECT_EQ(rows.outputs, graph.outputs);
}

TEST(RowKernelsTest, APlanHasBothKernelsAndSaysWhy) {
  const Plan plan = PlanOf(NormedGraph(), RowSchedule::kTwoKernels);
  ASSERT_EQ(plan.kernels.size(), 2u);
  EXPECT_EQ(plan.kernels[0].config.rows, RowSchedule::kTwoKernels);
  EXPECT_EQ(plan.kernels[1].config.family, Family::kRows);
  EXPECT_THAT(plan.reasons, Contains(HasSubstr("row reductions")));
}

TEST(RowKernelsTest, WhatTheKernelsShareIsAnIntermediate) {
  const Graph graph = NormedGraph();
  const Manifest manifest = MakeManifest(graph, PlanOf(graph, RowSchedule::kTwoKernels), {"product", "rows"});
  ASSERT_EQ(manifest.intermediates.size(), 1u);
  EXPECT_EQ(manifest.intermediates[0].dtype, DType::kF32);
  EXPECT_EQ(manifest.intermediates[0].extents, "M,N");
  const std::vector<LaunchStep>& launches = manifest.variants.at(0).launches;
  ASSERT_EQ(launches.size(), 2u);
  EXPECT_THAT(KindsOf(launches[0]), Contains(ParamKind::kIntermediatePointer).Times(1));
  EXPECT_THAT(KindsOf(launches[0]), Contains(ParamKind::kOutputPointer).Times(0));
  EXPECT_THAT(KindsOf(launches[1]), Contains(ParamKind::kIntermediatePointer).Times(1));
  EXPECT_THAT(KindsOf(launches[1]), Contains(ParamKind::kOutputPointer).Times(3));
  EXPECT_THAT(KindsOf(launches[1]), Contains(ParamKind::kOutputLd).Times(2));  // not of the vector
}

TEST(RowKernelsTest, AWarpHasShortRowsAndACtaLongOnes) {
  Graph graph = NormedGraph();
  EXPECT_EQ(RowKernel(graph, {}).config.micro_n, 32);
  EXPECT_EQ(RowKernel(graph, {}).config.tile_m, 8);
  graph.n = 4096;
  EXPECT_EQ(RowKernel(graph, {}).config.micro_n, 256);
  graph.n = std::nullopt;
  EXPECT_EQ(RowKernel(graph, {}).config.micro_n, 256);
}

TEST(RowKernelsTest, EveryFamilyLeavesRows) {
  Graph graph = NormedGraph();
  graph.n = std::nullopt;
  for (const char* schedule : {"simt", "mma", "wgmma"}) {
    const auto configs = RankConfigs(graph, HopperLimits(), {schedule, {}, {}});
    ASSERT_TRUE(configs.ok()) << configs.status();
    for (const KernelConfig& config : *configs) EXPECT_EQ(config.rows, RowSchedule::kTwoKernels);
  }
}

TEST(RowBarrierTest, IsTheFirstChoiceAndOneKernel) {
  const Graph graph = NormedGraph();
  EXPECT_EQ(RankConfigs(graph, HopperLimits(), {})->front().rows, RowSchedule::kBarrier);
  const Plan plan = PlanOf(graph, RowSchedule::kBarrier);
  EXPECT_EQ(plan.kernels.size(), 1u);
  EXPECT_TRUE(plan.reasons.empty());
}

// K is odd, so that the barrier's product needs packed factors: kernels of their own, which the other product is
// spared.
TEST(RowBarrierTest, IsNoFirstChoiceWherePackingIsMoreKernels) {
  const auto first = [](std::int64_t m, std::int64_t k) {
    Graph graph = NormedGraph();
    graph.m = m;
    graph.k = k;
    return RankConfigs(graph, HopperLimits(), {})->front().rows;
  };
  EXPECT_EQ(first(448, 61), RowSchedule::kTwoKernels);
  EXPECT_EQ(first(448, 64), RowSchedule::kBarrier);
  EXPECT_EQ(first(65536, 2047), RowSchedule::kBarrier);
}

TEST(RowBarrierTest, ItsKernelIsCooperativeAndHasAWorkspace) {
  const Graph graph = NormedGraph();
  const KernelConfig config = ChoiceOf(graph, RowSchedule::kBarrier);
  const Manifest manifest = MakeManifest(graph, PlanWith(graph, config, HopperLimits(), Assumptions{}), {"key"});
  const LaunchStep& launch = manifest.variants.at(0).launches.at(0);
  EXPECT_TRUE(launch.cooperative);
  EXPECT_EQ(launch.grid.ctas_per_sm, 1);
  EXPECT_EQ(launch.grid.least_ctas, (256 / config.tile_n + 1) / 2);
  EXPECT_THAT(KindsOf(launch), Contains(ParamKind::kWorkspaceCounters).Times(1));
  EXPECT_THAT(KindsOf(launch), Contains(ParamKind::kWorkspaceParts).Times(1));
  // Of each of two reductions a counter, and two words for a row and tile along N.
  EXPECT_EQ(manifest.variants.at(0).workspace, (Workspace{128, 2 * 4, 2 * (256 / config.tile_n) * 128 * 2 * 4}));
  EXPECT_TRUE(manifest.intermediates.empty());
}

TEST(RowBarrierTest, EachVariantHasItsOwnWorkspace) {
  const Graph graph = NormedGraph();
  const std::vector<KernelConfig> configs = RowBarrierConfigs(graph, HopperLimits(), {});
  const KernelConfig &wide = configs.front(), &narrow = configs.back();
  ASSERT_NE(wide.tile_n, narrow.tile_n);
  const auto plan = [&](const KernelConfig& config, const MRange& m) {
    return PlanWith(graph, config, HopperLimits(), Assumptions{}, m);
  };
  for (const auto& [first, second] : {std::pair(wide, narrow), std::pair(narrow, wide)}) {
    const Plan joined = Joined(graph, {plan(first, {0, 256}), plan(second, {257, INT64_MAX})});
    const Manifest manifest = MakeManifest(graph, joined, {"first", "second"});
    ASSERT_EQ(manifest.variants.size(), 2u);
    EXPECT_EQ(manifest.variants[0].workspace, RowWorkspace(graph, first));
    EXPECT_EQ(manifest.variants[1].workspace, RowWorkspace(graph, second));
  }
}

TEST(RowBarrierTest, ARowWithinATileNeedsNoWorkspace) {
  Graph graph = NormedGraph();
  graph.n = 128;
  const KernelConfig widest = RowBarrierConfigs(graph, HopperLimits(), {}).front();
  ASSERT_EQ(widest.tile_n, 128);
  EXPECT_EQ(RowWorkspace(graph, widest), Workspace{});
}

TEST(RowBarrierTest, IsRefusedWhereNotAllTilesOfARowAreResident) {
  Graph graph = NormedGraph();
  graph.n = 2 * HopperLimits().sm_count * 128;
  EXPECT_FALSE(RowBarrierConfigs(graph, HopperLimits(), {}).empty());
  graph.n = *graph.n + 8;
  EXPECT_TRUE(RowBarrierConfigs(graph, HopperLimits(), {}).empty());
  EXPECT_EQ(RankConfigs(graph, HopperLimits(), {})->front().rows, RowSchedule::kTwoKernels);
}

TEST(RowBarrierTest, IsRefusedForWhatItDoesNotDo) {
  const auto refused = [](const Graph& graph) { return RowBarrierConfigs(graph, HopperLimits(), {}).empty(); };
  EXPECT_TRUE(refused(NormedGraph(true)));
  EXPECT_TRUE(refused(AsTf32(NormedGraph(), Precision::kTf32x3)));
  EXPECT_TRUE(refused(ProductGraph(DType::kF16, 256, 256, 256)));
  Graph dynamic = NormedGraph();
  dynamic.n = std::nullopt;
  EXPECT_TRUE(refused(dynamic));
  const DeviceLimits ampere = *LimitsOf(Arch{8, 0, false});
  EXPECT_TRUE(RowBarrierConfigs(NormedGraph(), ampere, {}).empty());
}

}  // namespace
}  // namespace gemmd
