#include "plan/facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/cost_model.h"
#include "sample_graph.h"

namespace gemmd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(FactsTest, CountTheBytesOfAProduct) {
  const PlanFacts facts = FactsOf(ProductGraph(DType::kBf16, 128, 256, 64), {128, 256, 64});
  EXPECT_DOUBLE_EQ(facts.flop, 2.0 * 128 * 256 * 64);
  EXPECT_EQ(facts.factors, DType::kBf16);
  EXPECT_EQ(facts.factor_bytes, 2 * (128 * 64 + 64 * 256));
  EXPECT_EQ(facts.operand_bytes, 0);
  EXPECT_EQ(facts.output_bytes, 2 * 128 * 256);
  EXPECT_THAT(facts.row_reductions, IsEmpty());
}

TEST(FactsTest, TakeTheExtentsOfTheLaunch) {
  const Graph graph = ProductGraph(DType::kF32, std::nullopt, 256, std::nullopt);
  EXPECT_EQ(NominalShape(graph), (GemmShape{kNominalExtent, 256, kNominalExtent}));
  EXPECT_EQ(FactsOf(graph, {2, 256, 8}).factor_bytes, 4 * (2 * 8 + 8 * 256));
}

TEST(FactsTest, KnowWhatAProductWaitsFor) {
  EXPECT_TRUE(FactsOf(ProductGraph(DType::kBf16, 1, 4096, 4096), {1, 4096, 4096}).waits_for_memory);
  EXPECT_FALSE(FactsOf(ProductGraph(DType::kBf16, 8192, 8192, 8192), {8192, 8192, 8192}).waits_for_memory);
}

TEST(FactsTest, ListRowReductionsAndOperands) {
  const Graph graph = RowGraph();
  const PlanFacts facts = FactsOf(graph, NominalShape(graph));
  const std::int64_t n = *graph.n;
  EXPECT_THAT(facts.row_reductions,
              ElementsAre(RowReductionFact{OpKind::kLayerNorm, n}, RowReductionFact{OpKind::kRowSum, n},
                          RowReductionFact{OpKind::kRowArgmax, n}));
  EXPECT_GE(facts.operand_bytes, 2 * facts.shape.m * n);  // the residual
}

TEST(FactsTest, HalveTheColumnsAfterAGate) {
  const Graph graph = GatedGraph();
  const PlanFacts facts = FactsOf(graph, NominalShape(graph));
  EXPECT_EQ(facts.output_bytes, 2 * facts.shape.m * (*graph.n + *graph.n / 2));
}

}  // namespace
}  // namespace gemmd
