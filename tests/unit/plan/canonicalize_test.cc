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
  EXPECT_THAT(ChainGraph().inputs, ElementsAre(GraphInput{DType::kF16, Layout::kRowMajor, Broadcast::kFull},
                                               GraphInput{DType::kF16, Layout::kColumnMajor, Broadcast::kFull},
                                               GraphInput{DType::kF32, Layout::kRowMajor, Broadcast::kScalar},
                                               GraphInput{DType::kF16, Layout::kRowMajor, Broadcast::kFull},
                                               GraphInput{DType::kBf16, Layout::kRowMajor, Broadcast::kRow},
                                               GraphInput{DType::kF32, Layout::kRowMajor, Broadcast::kColumn}));
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

TEST(SummaryTest, IsOneLineForPeople) {
  EXPECT_EQ(Summary(ChainGraph()),
            "f16 [M,512] x f16 [512,256]^T -> mul 1.25, add scalar f32, add full f16 * 0.5, sub row bf16, store f16, "
            "mul column f32, gelu erf, cast bf16 of v4, store f32, tanh of v4, store bf16, relu of v7, store f16");
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
