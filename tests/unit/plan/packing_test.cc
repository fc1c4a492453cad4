#include "plan/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "plan/config_space.h"
#include "plan/manifest.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A choice that packs what `packing` says.
KernelConfig WgmmaThatPacks(const Graph& graph, Packing packing, const Assumptions& assumptions = {}) {
  for (const KernelConfig& config : LegalConfigs(Family::kWgmma, graph, HopperLimits(), assumptions)) {
    if (config.packing == packing) return config;
  }
  ADD_FAILURE() << "no choice packs " << Name(packing);
  return {};
}

Plan PlanThatPacks(const Graph& graph, Packing packing) {
  return PlanWith(graph, WgmmaThatPacks(graph, packing), HopperLimits(), Assumptions{});
}

TEST(PackingTest, LeavesAProductOfPackedFactorsWithoutPrologues) {
  const Graph graph = PrologueGraph();
  const Graph product = AfterPacking(graph, Packing::kBoth);
  const auto inputs = static_cast<int>(graph.inputs.size());
  EXPECT_EQ(product.a, inputs);
  EXPECT_EQ(product.b, inputs + 1);
  EXPECT_EQ(product.inputs[product.a].dtype, graph.inputs[graph.a].dtype);
  EXPECT_EQ(product.inputs[product.b].layout, graph.inputs[graph.b].layout);
  EXPECT_TRUE(product.prologue_a.empty());
  EXPECT_TRUE(product.prologue_b.empty());
  EXPECT_EQ(product.epilogue, graph.epilogue);
}

TEST(PackingTest, KeepsThePrologueOfWhatIsNotPacked) {
  const Graph graph = PrologueGraph();
  const Graph product = AfterPacking(graph, Packing::kB);
  EXPECT_EQ(product.a, graph.a);
  EXPECT_EQ(product.prologue_a, graph.prologue_a);
  EXPECT_TRUE(product.prologue_b.empty());
}

TEST(PackingTest, TheProductMayAssumeLinesOnSixteenBytesOfWhatWasPacked) {
  const Graph graph = ProductGraph(DType::kF16, 64, 64, 64);
  const Assumptions after = AfterPacking(graph, Packing::kB, {{2, 2}, {2}});
  EXPECT_THAT(after.inputs, ElementsAre(2, 2, 16));
  EXPECT_THAT(after.outputs, ElementsAre(2));
}

TEST(PackingTest, APackKernelStoresThePrologueInTheFactorsType) {
  const Graph graph = PrologueGraph();
  const Graph pack = PackGraph(graph, Packing::kA);
  EXPECT_EQ(pack.b, -1);
  ASSERT_EQ(pack.epilogue.size(), graph.prologue_a.size() + 1);
  EXPECT_EQ(pack.epilogue.back().kind, OpKind::kStore);
  EXPECT_EQ(pack.epilogue.back().dtype, graph.inputs[graph.a].dtype);
  EXPECT_EQ(pack.outputs.size(), 1u);
}

// Lines of a column-major matrix are columns: a vector along K is one value a line of B's row-major transpose.
TEST(PackingTest, AColumnMajorFactorIsPackedAsItsTranspose) {
  Graph graph = PrologueGraph();
  ASSERT_EQ(graph.inputs[graph.b].layout, Layout::kColumnMajor);
  EXPECT_EQ(LineAxes(graph, Packing::kB), (Axes{Axis::kN, Axis::kK}));
  EXPECT_EQ(LineAxes(graph, Packing::kA), (Axes{Axis::kM, Axis::kK}));
  const Graph pack = PackGraph(graph, Packing::kB);
  for (std::size_t i = 0; i < graph.prologue_b.size(); ++i) {
    const Broadcast before = graph.prologue_b[i].broadcast, after = pack.epilogue[i].broadcast;
    if (before == Broadcast::kRow) {
      EXPECT_EQ(after, Broadcast::kColumn) << i;
    }
    if (before == Broadcast::kColumn) {
      EXPECT_EQ(after, Broadcast::kRow) << i;
    }
    if (before == Broadcast::kFull) {
      EXPECT_EQ(after, Broadcast::kFull) << i;
    }
  }
  EXPECT_EQ(pack.inputs[pack.a].layout, Layout::kRowMajor);
}

TEST(PackingTest, TheConditionOfASelectIsTransposedToo) {
  Graph graph = PrologueGraph();
  Node select{.kind = OpKind::kWhere, .input = 0, .operand = 2, .broadcast = Broadcast::kFull};
  select.condition = {.input = 3, .broadcast = Broadcast::kRow};
  graph.prologue_b = {select};
  EXPECT_EQ(PackGraph(graph, Packing::kB).epilogue[0].condition.broadcast, Broadcast::kColumn);
}

TEST(PackingTest, ThePlanSaysWhyAFactorIsPacked) {
  const Plan prologue = PlanThatPacks(PrologueGraph(), Packing::kBoth);
  ASSERT_EQ(prologue.kernels.size(), 3u);
  EXPECT_THAT(prologue.reasons,
              ElementsAre(HasSubstr("A is packed first: its prologue"), HasSubstr("B is packed first: its prologue")));
  EXPECT_THAT(prologue.variants[0].kernels, ElementsAre(0, 1, 2));
  const Plan ragged = PlanThatPacks(ProductGraph(DType::kBf16, 4096, 4096, 4095), Packing::kA);
  ASSERT_EQ(ragged.kernels.size(), 2u);
  EXPECT_THAT(ragged.reasons, ElementsAre(HasSubstr("A is packed first: its lines do not start on 16 bytes")));
}

Graph Tf32Graph(Layout a, Layout b) {
  Graph graph = AsTf32(PrologueGraph());
  graph.inputs[graph.a].layout = a;
  graph.inputs[graph.b].layout = b;
  return graph;
}

TEST(PackingTest, Tf32FactorsArePackedAlongK) {
  for (const Layout a : {Layout::kRowMajor, Layout::kColumnMajor}) {
    for (const Layout b : {Layout::kRowMajor, Layout::kColumnMajor}) {
      const Graph graph = Tf32Graph(a, b);
      const Graph product = AfterPacking(graph, Packing::kBoth);
      EXPECT_TRUE(RunsAlongK(product, true));
      EXPECT_TRUE(RunsAlongK(product, false));
      EXPECT_EQ(LineAxes(graph, Packing::kA), (Axes{Axis::kM, Axis::kK}));
      EXPECT_EQ(LineAxes(graph, Packing::kB), (Axes{Axis::kN, Axis::kK}));
      // What does not run along K lies by columns of the packed lines.
      const Graph pack_a = PackGraph(graph, Packing::kA), pack_b = PackGraph(graph, Packing::kB);
      EXPECT_EQ(pack_a.inputs[pack_a.a].layout, a);
      EXPECT_EQ(pack_b.inputs[pack_b.a].layout == Layout::kRowMajor, b == Layout::kColumnMajor);
    }
  }
}

TEST(PackingTest, ATransposedFactorsPrologueFollowsThePackedLines) {
  const Graph graph = Tf32Graph(Layout::kColumnMajor, Layout::kRowMajor);
  const Graph pack_a = PackGraph(graph, Packing::kA), pack_b = PackGraph(graph, Packing::kB);
  for (std::size_t i = 0; i < graph.prologue_a.size(); ++i) {
    EXPECT_EQ(pack_a.epilogue[i].broadcast, graph.prologue_a[i].broadcast) << i;
  }
  ASSERT_EQ(graph.prologue_b[0].broadcast, Broadcast::kColumn) << "along K";
  EXPECT_EQ(pack_b.epilogue[0].broadcast, Broadcast::kRow);
}

TEST(PackingTest, ATransposingKernelHasATileInSharedMemory) {
  Graph graph = Tf32Graph(Layout::kRowMajor, Layout::kRowMajor);
  graph.prologue_a.clear();
  graph.prologue_b.clear();
  const Plan plan = PlanThatPacks(graph, Packing::kB);
  ASSERT_EQ(plan.kernels.size(), 2u);
  EXPECT_EQ(plan.kernels[0].config.shared_bytes, 64 * 64 * 4);
  EXPECT_THAT(plan.reasons, ElementsAre(HasSubstr("B is packed first: the tensor cores take f32 only along K")));
  const LaunchStep step = MakeManifest(graph, plan, {"pack b", "product"}).variants[0].launches[0];
  EXPECT_EQ(step.shared_bytes, 64 * 64 * 4);
  EXPECT_EQ(step.grid.rows, Axis::kN);
  EXPECT_EQ(step.grid.columns, Axis::kK);
}

TEST(PackingTest, FactorsOfThreeProductsAreInTwoParts) {
  const Graph graph = AsTf32(PrologueGraph(), Precision::kTf32x3);
  const auto inputs = static_cast<int>(graph.inputs.size());
  const Graph product = AfterPacking(graph, Packing::kBoth);
  EXPECT_EQ(product.a, inputs);
  EXPECT_EQ(product.b, inputs + 2);
  EXPECT_EQ(product.inputs.size(), graph.inputs.size() + 4);
  const Graph pack = PackGraph(graph, Packing::kA);
  ASSERT_EQ(pack.outputs.size(), 2u);
  ASSERT_EQ(pack.epilogue.size(), graph.prologue_a.size() + 2);
  const Node &high = pack.epilogue[graph.prologue_a.size()], &low = pack.epilogue.back();
  EXPECT_EQ(high.input, low.input) << "each part is of the same value";
  EXPECT_EQ(high.output, 0);
  EXPECT_EQ(low.output, 1);
  EXPECT_THAT(PlanThatPacks(graph, Packing::kBoth).reasons.size(), 2u);
}

TEST(PackingTest, TheManifestHandsBothPartsToTheProduct) {
  const Graph graph = AsTf32(PrologueGraph(), Precision::kTf32x3);
  const Manifest manifest = MakeManifest(graph, PlanThatPacks(graph, Packing::kBoth), {"pack a", "pack b", "product"});
  ASSERT_EQ(manifest.intermediates.size(), 4u);
  const std::vector<LaunchStep>& launches = manifest.variants[0].launches;
  ASSERT_EQ(launches.size(), 3u);
  for (int i : {0, 1}) {
    std::set<int> stored;
    for (const ParamField& field : launches[i].params) {
      if (field.kind == ParamKind::kIntermediatePointer) stored.insert(field.index);
    }
    EXPECT_THAT(stored, ElementsAre(2 * i, 2 * i + 1));
  }
  const auto inputs = static_cast<int>(manifest.inputs.size());
  ASSERT_EQ(launches[2].tensor_maps.size(), 4u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(launches[2].tensor_maps[i].input, inputs + i);
}

TEST(PackingTest, NoPrologueOfTf32IsAppliedInPlace) {
  Graph graph = Tf32Graph(Layout::kRowMajor, Layout::kColumnMajor);
  std::set<Packing> packings;
  for (const KernelConfig& config : LegalConfigs(Family::kWgmma, graph, HopperLimits()))
    packings.insert(config.packing);
  EXPECT_THAT(packings, ElementsAre(Packing::kBoth));
}

TEST(PackingTest, IllegalWhereNothingIsGained) {
  const Graph graph = ProductGraph(DType::kBf16, 4096, 4096, 4096);
  KernelConfig config = WgmmaThatPacks(graph, Packing::kNone);
  config.packing = Packing::kA;
  const absl::Status status = CheckConfig(config, graph, HopperLimits());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("A is ready for the product as it is"));
}

TEST(PackingTest, TheManifestHandsWhatWasPackedToTheProduct) {
  const Graph graph = PrologueGraph();
  const Manifest manifest = MakeManifest(graph, PlanThatPacks(graph, Packing::kBoth), {"pack a", "pack b", "product"});
  ASSERT_EQ(manifest.intermediates.size(), 2u);
  EXPECT_EQ(manifest.intermediates[0].extents, "M,K");
  EXPECT_EQ(manifest.intermediates[1].extents, "K,N");
  ASSERT_EQ(manifest.variants[0].launches.size(), 3u);
  const std::vector<LaunchStep>& launches = manifest.variants[0].launches;
  for (int i : {0, 1}) {
    bool stores = false;
    for (const ParamField& field : launches[i].params) {
      EXPECT_NE(field.kind, ParamKind::kOutputPointer) << "a pack kernel stores no output of the plan";
      if (field.kind != ParamKind::kIntermediatePointer) continue;
      EXPECT_EQ(field.index, i);
      stores = true;
    }
    EXPECT_TRUE(stores);
  }
  // B is column-major: its lines are columns, along K.
  EXPECT_EQ(launches[1].grid.rows, Axis::kN);
  EXPECT_EQ(launches[1].grid.columns, Axis::kK);
  const auto inputs = static_cast<int>(manifest.inputs.size());
  ASSERT_EQ(launches[2].tensor_maps.size(), 2u);
  EXPECT_EQ(launches[2].tensor_maps[0].input, inputs);
  EXPECT_EQ(launches[2].tensor_maps[1].input, inputs + 1);
  const auto read = ManifestFromJson(ManifestToJson(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, manifest);
}

TEST(PackingTest, TheOnlyPackedFactorIsTheFirstIntermediate) {
  const Graph graph = ProductGraph(DType::kBf16, 4096, 4095, 4096);
  const Manifest manifest = MakeManifest(graph, PlanThatPacks(graph, Packing::kB), {"pack b", "product"});
  ASSERT_EQ(manifest.intermediates.size(), 1u);
  const LaunchStep& product = manifest.variants[0].launches.back();
  EXPECT_EQ(product.tensor_maps[0].input, graph.a);
  EXPECT_EQ(product.tensor_maps[1].input, static_cast<int>(manifest.inputs.size()));
}

}  // namespace
}  // namespace gemmd
