#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_graph.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CanonicalizeTest, TheSampleIsValid) { EXPECT_THAT(Validate(ChainSpec()), IsEmpty()); }

TEST(CanonicalizeTest, OrdersInputsByFirstUseAndOutputsByStore) {
  const CanonicalSpec canonical = Canonicalize(ChainSpec());
  EXPECT_THAT(canonical.bindings.inputs, ElementsAre("x", "w", "shift", "residual", "bias", "row_scale"));
  EXPECT_THAT(canonical.bindings.outputs, ElementsAre("aux", "out", "tanh", "relu"));
  EXPECT_EQ(canonical.graph.a, 0);
  EXPECT_EQ(canonical.graph.b, 1);
}

TEST(CanonicalizeTest, ClassifiesOperands) {
  EXPECT_THAT(ChainGraph().inputs, ElementsAre(GraphInput{DType::kF16, Layout::kRowMajor, {Axis::kM, Axis::kK}},
                                               GraphInput{DType::kF16, Layout::kColumnMajor, {Axis::kK, Axis::kN}},
                                               GraphInput{DType::kF32, Layout::kRowMajor, {}},
                                               GraphInput{DType::kF16, Layout::kRowMajor, {Axis::kM, Axis::kN}},
                                               GraphInput{DType::kBf16, Layout::kRowMajor, {Axis::kN}},
                                               GraphInput{DType::kF32, Layout::kRowMajor, {Axis::kM}}));
}

TEST(CanonicalizeTest, NumbersValuesFromTheAccumulator) {
  std::vector<int> taken;
  for (const Node& node : ChainGraph().epilogue) taken.push_back(node.input);
  EXPECT_THAT(taken, ElementsAre(0, 1, 2, 3, 4, 5, 6, 4, 8, 4, 10, 7, 12));
}

TEST(CanonicalizeTest, KeepsWhatEachOperationSays) {
  const Graph graph = ChainGraph();
  EXPECT_EQ(graph.epilogue[0].literal, 1.25f);
  EXPECT_EQ(graph.epilogue[0].operand, -1);
  EXPECT_EQ(graph.epilogue[2].operand, 3);
  EXPECT_EQ(graph.epilogue[2].scale, 0.5f);
  EXPECT_EQ(graph.epilogue[3].scale, 1.0f);
  EXPECT_EQ(graph.epilogue[7].dtype, DType::kBf16);
  EXPECT_EQ(graph.epilogue[8].output, 1);
  EXPECT_EQ(graph.epilogue[8].dtype, DType::kF32);
}

TEST(CanonicalizeTest, TellsEarlierValuesFromInputs) {
  const Graph graph = Canonicalize(JoinSpec()).graph;
  EXPECT_EQ(graph.epilogue[2].operand, -1);
  EXPECT_EQ(graph.epilogue[2].operand_value, 1);
  EXPECT_EQ(graph.epilogue[2].scale, 0.5f);
  EXPECT_EQ(graph.epilogue[3].operand, 2);
  EXPECT_EQ(graph.epilogue[3].operand_value, -1);
  EXPECT_EQ(graph.epilogue[3].condition, Reference{.value = 2});
  EXPECT_EQ(graph.epilogue[4].literal, 0.0f);
  EXPECT_EQ(graph.epilogue[4].condition, (Reference{3, Broadcast::kRow}));
}

TEST(CanonicalizeTest, TensorsAfterAGateHaveHalfOfN) {
  ASSERT_THAT(Validate(GatedSpec()), IsEmpty());
  const Graph graph = GatedGraph();
  EXPECT_TRUE(graph.IsGated());
  EXPECT_FALSE(ChainGraph().IsGated());
  std::vector<std::string> axes;
  for (const GraphInput& input : graph.inputs) axes.push_back(Name(input.axes));
  for (const GraphOutput& output : graph.outputs) axes.push_back(Name(output.axes));
  EXPECT_THAT(axes, ElementsAre("M,K", "K,N", "N", "N/2", "M,N/2", "M,N", "M,N/2"));
  for (const std::string& name : axes) EXPECT_EQ(Name(*AxesFromName(name)), name);
  EXPECT_EQ(graph.ExtentOf(Axis::kHalfN), 128);
  EXPECT_TRUE(graph.HasBothHalves(graph.outputs[0]));
  EXPECT_FALSE(graph.HasBothHalves(graph.outputs[1]));
  EXPECT_FALSE(ChainGraph().HasBothHalves(ChainGraph().outputs[0]));
}

TEST(CanonicalizeTest, LowersTheVectorsOfANormToWhatFollowsIt) {
  ASSERT_THAT(Validate(RowSpec()), IsEmpty());
  const Graph graph = RowGraph();
  ASSERT_EQ(graph.epilogue.size(), 11u);
  EXPECT_EQ(graph.epilogue[0], (Node{.kind = OpKind::kLayerNorm, .params = {1e-3f}}));
  EXPECT_EQ(graph.epilogue[1], (Node{.kind = OpKind::kMul, .input = 1, .operand = 2, .broadcast = Broadcast::kRow}));
  EXPECT_EQ(graph.epilogue[2], (Node{.kind = OpKind::kAdd, .input = 2, .operand = 2, .broadcast = Broadcast::kRow}));
  // The norm's id is the value after both.
  EXPECT_EQ(graph.epilogue[8], (Node{.kind = OpKind::kSub, .input = 3, .operand_value = 6}));
}

TEST(CanonicalizeTest, TellsValuesOfOneElementARow) {
  const Graph graph = RowGraph();
  EXPECT_THAT(ColumnValues(graph.epilogue),
              ElementsAre(false, false, false, false, false, false, true, true, true, false, true, true));
  std::vector<std::string> axes;
  for (const GraphOutput& output : graph.outputs) axes.push_back(Name(output.axes));
  EXPECT_THAT(axes, ElementsAre("M,N", "M", "M"));
  EXPECT_EQ(graph.outputs[2].dtype, DType::kI32);
  EXPECT_EQ(graph.epilogue[6].broadcast, Broadcast::kColumn);
  EXPECT_FALSE(graph.HasBothHalves(graph.outputs[1]));
}

TEST(CanonicalizeTest, SpreadsAVectorOfASharedDimOverTheRowsOfAStatistic) {
  KernelSpec spec;
  spec.dims = {{"S", {64}}};
  spec.inputs = {{"x", {DType::kF16, {"S", "S"}, Layout::kRowMajor}}, {"v", {DType::kF32, {"S"}, Layout::kRowMajor}}};
  spec.matmul_a = spec.matmul_b = "x";
  spec.epilogue = {{.kind = OpKind::kAdd, .operand = "v"},
                   {.kind = OpKind::kRowMean},
                   {.kind = OpKind::kMul, .operand = "v"},
                   Store("y", DType::kF32)};
  ASSERT_THAT(Validate(spec), IsEmpty());
  const Graph graph = Canonicalize(spec).graph;
  EXPECT_EQ(graph.epilogue[0].broadcast, Broadcast::kRow);
  EXPECT_EQ(graph.epilogue[2].broadcast, Broadcast::kColumn);
}

TEST(SplitAtGateTest, CountsTheValuesAfterTheGateFromIt) {
  EXPECT_EQ(SplitAtGate(ChainGraph().epilogue), std::nullopt);
  const Graph graph = GatedGraph();
  const std::optional<GatedChain> parts = SplitAtGate(graph.epilogue);
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->before.size(), 3u);
  EXPECT_EQ(parts->result, 1);
  EXPECT_EQ(parts->gate, OpKind::kGegluTanh);
  ASSERT_EQ(parts->after.size(), 4u);
  EXPECT_EQ(parts->after[0].input, 0);
  EXPECT_EQ(parts->after[1].operand, 4);
  EXPECT_EQ(parts->after[2].input, 2);
  EXPECT_EQ(parts->after[2].operand_value, 1);
  EXPECT_EQ(parts->after[2].condition.value, -1);
}

TEST(CanonicalizeTest, TurnsNamedDimsIntoExtents) {
  const Graph graph = ChainGraph();
  EXPECT_EQ(graph.m, std::nullopt);
  EXPECT_EQ(graph.n, 256);
  EXPECT_EQ(graph.k, 512);
}

TEST(CanonicalizeTest, TakesFloatProductsAsIeee) {
  KernelSpec spec = ChainSpec();
  spec.inputs["x"].dtype = spec.inputs["w"].dtype = DType::kF32;
  EXPECT_EQ(Canonicalize(spec).graph.precision, Precision::kIeee);
  EXPECT_EQ(ChainGraph().precision, Precision::kDefault);
}

TEST(CanonicalizeTest, GivesOneTensorOneInput) {
  KernelSpec spec;
  spec.dims = {{"S", {64}}};
  spec.inputs = {{"x", {DType::kF16, {"S", "S"}, Layout::kRowMajor}}};
  spec.matmul_a = spec.matmul_b = "x";
  spec.epilogue = {{.kind = OpKind::kAdd, .operand = "x"}, Store("y", DType::kF16)};
  ASSERT_THAT(Validate(spec), IsEmpty());
  const CanonicalSpec canonical = Canonicalize(spec);
  EXPECT_THAT(canonical.bindings.inputs, ElementsAre("x"));
  EXPECT_EQ(canonical.graph.a, 0);
  EXPECT_EQ(canonical.graph.b, 0);
  EXPECT_EQ(canonical.graph.epilogue[0].operand, 0);
}

std::vector<Broadcast> BroadcastsOf(const std::vector<Node>& chain) {
  std::vector<Broadcast> broadcasts;
  for (const Node& node : chain) {
    if (node.operand >= 0) broadcasts.push_back(node.broadcast);
  }
  return broadcasts;
}

TEST(CanonicalizeTest, SpreadsAnOperandAsEachChainSeesIt) {
  const CanonicalSpec canonical = Canonicalize(PrologueSpec());
  EXPECT_THAT(canonical.bindings.inputs, ElementsAre("x", "w", "along_k", "along_m", "mask", "along_n", "alpha"));
  const Graph& graph = canonical.graph;
  EXPECT_THAT(graph.inputs[2].axes, ElementsAre(Axis::kK));
  EXPECT_THAT(graph.inputs[3].axes, ElementsAre(Axis::kM));
  EXPECT_THAT(graph.inputs[4].axes, ElementsAre(Axis::kM, Axis::kK));
  EXPECT_THAT(graph.inputs[5].axes, ElementsAre(Axis::kN));
  EXPECT_THAT(graph.inputs[6].axes, IsEmpty());
  EXPECT_THAT(BroadcastsOf(graph.prologue_a), ElementsAre(Broadcast::kRow, Broadcast::kColumn, Broadcast::kFull));
  EXPECT_THAT(BroadcastsOf(graph.prologue_b), ElementsAre(Broadcast::kColumn, Broadcast::kRow, Broadcast::kScalar));
  EXPECT_THAT(BroadcastsOf(graph.epilogue), ElementsAre(Broadcast::kRow, Broadcast::kColumn));
}

TEST(CanonicalizeTest, GivesATensorOfSeveralRolesTheAxesOfTheFirst) {
  KernelSpec spec = PrologueSpec();
  spec.dims = {{"M", {}}, {"S", {64}}};
  for (auto& [name, input] : spec.inputs) {
    for (ShapeEntry& entry : input.shape) {
      if (entry != ShapeEntry("M")) entry = "S";
    }
  }
  spec.prologue_a[0].operand = spec.prologue_b[0].operand = spec.epilogue[0].operand = "along_k";
  spec.prologue_b.push_back({.kind = OpKind::kAdd, .operand = "w"});
  spec.epilogue[1].operand = "mask";
  const CanonicalSpec canonical = Canonicalize(spec);
  const Graph& graph = canonical.graph;
  EXPECT_EQ(graph.inputs[2].axes, Axes{Axis::kK});
  EXPECT_EQ(graph.epilogue[0].operand, 2);
  EXPECT_EQ(graph.epilogue[0].broadcast, Broadcast::kRow);
  EXPECT_EQ(graph.prologue_b[0].broadcast, Broadcast::kRow) << "[S] over [S, S] is a row";
  EXPECT_EQ(graph.prologue_b[4].operand, 1);
  EXPECT_EQ(graph.prologue_b[4].broadcast, Broadcast::kFull);
  // Read by every tile's main loop, so no output may lie on it: its axes say so.
  EXPECT_EQ(graph.epilogue[1].operand, 4);
  EXPECT_EQ(graph.inputs[4].axes, (Axes{Axis::kM, Axis::kK}));
}

TEST(CanonicalizeTest, TellsAVectorByTheNameThatEachFactorGivesK) {
  KernelSpec spec = PrologueSpec();
  spec.dims = {{"M", {}}, {"K", {64}}, {"K_of_w", {64}}, {"N", {64}}};
  spec.inputs["w"].shape[0] = spec.inputs["along_k"].shape[0] = "K_of_w";
  EXPECT_EQ(Canonicalize(spec).graph.prologue_b[0].broadcast, Broadcast::kColumn);
}

TEST(SummaryTest, NamesTheProloguesOfBothFactors) {
  EXPECT_EQ(Summary(PrologueGraph()),
            "f16 [M,512] x f16 [512,256]^T; A: mul row f32, sub column f16 * 0.5, mul full bf16, silu; B: div column "
            "f32, add row f16, mul scalar f32, cast bf16 -> add row f16, mul column f16, store f16");
}

TEST(SummaryTest, IsOneLineForPeople) {
  EXPECT_EQ(Summary(ChainGraph()),
            "f16 [M,512] x f16 [512,256]^T -> mul 1.25, add scalar f32, add full f16 * 0.5, sub row bf16, store f16, "
            "mul column f32, gelu erf, cast bf16 of v4, store f32, tanh of v4, store bf16, relu of v7, store f16");
}

TEST(SummaryTest, NamesTheValuesThatAreJoined) {
  EXPECT_EQ(Summary(Canonicalize(JoinSpec()).graph),
            "f16 [M,512] x f16 [512,256]^T -> mul 1.25, gt 0.5, mul v1 * 0.5, where v2 else full f16, "
            "where row bf16 else 0, store f16");
}

TEST(SummaryTest, NamesGates) {
  EXPECT_EQ(Summary(GatedGraph()),
            "f16 [M,512] x f16 [512,256]^T -> add row bf16, neg, store f16, geglu tanh of v1, mul row f32, "
            "add full f16 * 0.5, mul v5, store f16");
}

TEST(SummaryTest, NamesRowReductions) {
  EXPECT_EQ(Summary(RowGraph()),
            "f16 [M,512] x f16 [512,256]^T -> layer_norm 0.001, mul row bf16, add row bf16, add full f16, store f16, "
            "sum, mul column f32, store f32, sub v6 of v3, argmax, store i32");
}

TEST(SummaryTest, NamesThePrecisionOfFloatProducts) {
  EXPECT_EQ(Summary(ProductGraph(DType::kF32, 8, 16, 32)), "f32 [8,32] x f32 [32,16] (ieee) -> store f32");
}

TEST(CanonicalizeTest, WritesOutTheParametersThatWereLeftOut) {
  KernelSpec spec = ChainSpec();
  spec.epilogue[6] = {.kind = OpKind::kLeakyRelu, .id = "act"};
  const Graph implicit = Canonicalize(spec).graph;
  EXPECT_EQ(implicit.epilogue[6].params, std::vector<float>{0.01f});
  EXPECT_EQ(implicit.epilogue[6].literal, std::nullopt);
  spec.epilogue[6].value = 0.01;
  EXPECT_EQ(SpecId(Canonicalize(spec).graph), SpecId(implicit));
}

}  // namespace
}  // namespace gemmd
