#include "plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/config_space.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;

TEST(WidthsTest, AreSixteenBytesWhereLinesAreAligned) {
  // x row-major in K = 512, w column-major in K, shift scalar, residual and outputs in N = 256, bias row, scale column:
  // a vector is as wide as its alignment allows, whatever a chain makes of it.
  const AccessWidths widths = WidthsOf(ChainGraph(), {});
  EXPECT_THAT(widths.inputs, ElementsAre(8, 8, 1, 8, 8, 4));
  EXPECT_THAT(widths.outputs, ElementsAre(8, 4, 8, 8));
}

TEST(WidthsTest, AreAsWideAsARaggedExtentAllows) {
  Graph graph = ChainGraph();
  graph.k = 508;
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(4, 4, 1, 8, 8, 4));
  graph.k = 511;
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(1, 1, 1, 8, 8, 4));
  graph.k = 512;
  graph.n = 254;
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(8, 8, 1, 2, 8, 4));
  EXPECT_THAT(WidthsOf(graph, {}).outputs, ElementsAre(2, 2, 2, 2));
}

TEST(WidthsTest, TakeADynamicExtentAsRagged) {
  Graph graph = ChainGraph();
  graph.inputs[0].layout = Layout::kColumnMajor;  // contiguous in M
  graph.n.reset();
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(1, 8, 1, 1, 8, 4));
}

TEST(WidthsTest, FollowTheLayoutOfEachFactor) {
  Graph graph = ProductGraph(DType::kBf16, 7, 16, 9);
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(1, 8));
  graph.inputs[1].layout = Layout::kColumnMajor;
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(1, 1));
  graph.m = 8;
  graph.inputs[0].layout = Layout::kColumnMajor;
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(8, 1));
}

TEST(WidthsTest, AreThoseOfAGatesSecondHalf) {
  Graph graph = GatedGraph();
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(8, 8, 8, 4, 8));
  EXPECT_THAT(WidthsOf(graph, {}).outputs, ElementsAre(8, 8));
  graph.n = 264;  // halves of 132, 264 bytes: bias, residual and both outputs
  graph.inputs[1].layout = Layout::kRowMajor;
  EXPECT_THAT(WidthsOf(graph, {}).inputs, ElementsAre(8, 4, 4, 4, 4));
  EXPECT_THAT(WidthsOf(graph, {}).outputs, ElementsAre(4, 4));
}

TEST(WidthsTest, FollowThePromiseOfEachTensor) {
  const AccessWidths widths = WidthsOf(ChainGraph(), {{2, 16, 16, 4, 2, 4}, {16, 4, 8, 16}});
  EXPECT_THAT(widths.inputs, ElementsAre(1, 8, 1, 2, 1, 1));
  EXPECT_THAT(widths.outputs, ElementsAre(8, 1, 4, 8));
}

TEST(WidthsTest, OfAFactorDivideItsExtentWhateverItsLinesStartOn) {
  EXPECT_THAT(WidthsOf(ProductGraph(DType::kBf16, 8, 20, 6), {{16, 16}, {16}}).inputs, ElementsAre(2, 4));
  EXPECT_THAT(WidthsOf(ProductGraph(DType::kBf16, 8, std::nullopt, 6), {{16, 16}, {16}}).inputs, ElementsAre(2, 1));
}

TEST(AlignmentTest, IsTheGreatestPowerOfTwoUpToSixteen) {
  EXPECT_EQ(AlignmentOf(0, 0), 16);
  EXPECT_EQ(AlignmentOf(64, 96), 16);
  EXPECT_EQ(AlignmentOf(8, 96), 8);
  EXPECT_EQ(AlignmentOf(64, 4), 4);
  EXPECT_EQ(AlignmentOf(6, 4), 2);
}

TEST(AssumptionsTest, AreCompletedFromTheLiteralDims) {
  Graph graph = ChainGraph();  // M is dynamic
  EXPECT_EQ(Completed(graph, {}), (Assumptions{{16, 16, 16, 16, 16, 16}, {16, 16, 16, 16}}));
  graph.k = 510;
  graph.n.reset();
  EXPECT_EQ(Completed(graph, {}), (Assumptions{{4, 4, 16, 2, 16, 16}, {2, 4, 2, 2}}));
  EXPECT_EQ(Completed(graph, {{}, {8, 8, 8, 8}}).outputs, (std::vector<int>{8, 8, 8, 8}));
}

TEST(PlanWithTest, HoldsOneKernelOfTheConfig) {
  const Graph graph = ChainGraph();
  const Assumptions assumptions{{16, 16, 16, 2, 16, 16}, {16, 16, 16, 16}};
  const Plan plan = PlanWith(graph, PortableConfig(graph), HopperLimits(), assumptions);
  ASSERT_EQ(plan.kernels.size(), 1u);
  EXPECT_EQ(plan.kernels[0].config, PortableConfig(graph));
  EXPECT_EQ(plan.kernels[0].widths, WidthsOf(graph, assumptions));
  EXPECT_EQ(plan.arch, HopperLimits().arch);
  EXPECT_EQ(plan.assumptions, assumptions);
  EXPECT_EQ(plan.plan_id.size(), 64u);
}

struct PlanInput {
  Graph graph = ChainGraph();
  KernelConfig config = PortableConfig(ChainGraph());
  DeviceLimits limits = HopperLimits();
  Assumptions assumptions;
  MRange m;
  std::string Id() const { return PlanWith(graph, config, limits, assumptions, m).plan_id; }
};

TEST(PlanIdTest, IsTheSameForTheSamePlan) { EXPECT_EQ(PlanInput().Id(), PlanInput().Id()); }

TEST(PlanIdTest, IsTheSameForAPromiseSpelledOut) {
  PlanInput input;
  input.assumptions = Completed(input.graph, {});
  EXPECT_EQ(input.Id(), PlanInput().Id());
}

TEST(JoinedTest, HoldsEachKernelOnceAndMergesNeighbours) {
  const Graph graph = ChainGraph();
  KernelConfig other = PortableConfig(graph);
  other.group_m = 4;
  const auto plan = [&](const KernelConfig& config, const MRange& m) {
    return PlanWith(graph, config, HopperLimits(), {}, m);
  };
  const Plan joined = Joined(graph, {plan(other, {0, 16}), plan(PortableConfig(graph), {17, 64}),
                                     plan(other, {65, 128}), plan(other, {129, INT64_MAX})});
  ASSERT_EQ(joined.kernels.size(), 2u);
  EXPECT_EQ(joined.kernels[0].config, other);
  EXPECT_THAT(joined.variants,
              ElementsAre(PlanVariant{{0, 16}, {0}}, PlanVariant{{17, 64}, {1}}, PlanVariant{{65, INT64_MAX}, {0}}));
  EXPECT_NE(joined.plan_id, plan(other, {}).plan_id);
  EXPECT_EQ(Joined(graph, {plan(other, {})}), plan(other, {}));
}

TEST(PlanIdTest, IgnoresLimitsThatDoNotReachTheKernel) {
  PlanInput input;
  input.limits.sm_count = 114;
  input.limits.l2_bytes = 1;
  EXPECT_EQ(input.Id(), PlanInput().Id());
}

struct Ingredient {
  const char* name;
  void (*change)(PlanInput&);
};

const Ingredient kIngredients[] = {
    {"Graph", [](PlanInput& p) { p.graph.epilogue[0].literal = 3.0f; }},
    {"Extent", [](PlanInput& p) { p.graph.m = 77; }},
    {"Arch", [](PlanInput& p) { p.limits.arch.specific = false; }},
    {"Family", [](PlanInput& p) { p.config.family = Family::kMma; }},
    {"TileM", [](PlanInput& p) { p.config.tile_m++; }},
    {"TileN", [](PlanInput& p) { p.config.tile_n++; }},
    {"TileK", [](PlanInput& p) { p.config.tile_k++; }},
    {"MicroM", [](PlanInput& p) { p.config.micro_m++; }},
    {"MicroN", [](PlanInput& p) { p.config.micro_n++; }},
    {"Stages", [](PlanInput& p) { p.config.stages++; }},
    {"GroupM", [](PlanInput& p) { p.config.group_m++; }},
    {"Threads", [](PlanInput& p) { p.config.threads++; }},
    {"SharedBytes", [](PlanInput& p) { p.config.shared_bytes++; }},
    {"RangeOfM", [](PlanInput& p) { p.m.max = 64; }},
    {"AlignmentOfAnInput", [](PlanInput& p) { p.assumptions.inputs = {16, 16, 16, 2, 16, 16}; }},
    {"AlignmentOfAnOutput",
     [](PlanInput& p) {
       p.assumptions.outputs = {16, 16, 16, 2};
     }},
};

class PlanIdIngredientTest : public ::testing::TestWithParam<Ingredient> {};

TEST_P(PlanIdIngredientTest, Matters) {
  PlanInput input;
  GetParam().change(input);
  EXPECT_NE(input.Id(), PlanInput().Id());
}

INSTANTIATE_TEST_SUITE_P(Plan, PlanIdIngredientTest, ::testing::ValuesIn(kIngredients),
                         [](const auto& ingredient) { return std::string(ingredient.param.name); });

}  // namespace
}  // namespace gemmd
