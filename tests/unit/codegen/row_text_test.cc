#include "codegen/row_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "plan/graph.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A and B of f16, a row and a column vector; outputs [M, N], [M, N] and [M].
Graph GraphOf(std::vector<Node> chain) {
  Graph graph;
  graph.inputs = {{DType::kF16, Layout::kRowMajor, {Axis::kM, Axis::kK}},
                  {DType::kF16, Layout::kRowMajor, {Axis::kK, Axis::kN}},
                  {DType::kF16, Layout::kRowMajor, {Axis::kN}},
                  {DType::kF32, Layout::kRowMajor, {Axis::kM}}};
  graph.a = 0;
  graph.b = 1;
  graph.outputs = {{DType::kF16}, {DType::kF16}, {DType::kF32, {Axis::kM}}};
  graph.epilogue = std::move(chain);
  return graph;
}

// The statements with a line each, without indentation.
std::string TextOf(const std::vector<Node>& chain, bool keeps = true) {
  std::string text;
  for (const std::string& line : RowStatements(GraphOf(chain), {{8, 8, 8, 1}, {8, 8, 4}}, keeps)) {
    text += line.substr(line.find_first_not_of(' ')) + "\n";
  }
  return text;
}

Node Store(int input, int output) {
  return {.kind = OpKind::kStore, .input = input, .dtype = DType::kF16, .output = output};
}
Node AddRow(int input) { return {.kind = OpKind::kAdd, .input = input, .operand = 2, .broadcast = Broadcast::kRow}; }

TEST(RowTextTest, NormalizesByWhatAWalkFound) {
  EXPECT_THAT(RowStatements(GraphOf({{.kind = OpKind::kSoftmax}, Store(1, 0)}), {{8, 8, 8, 1}, {8, 8, 4}}, true),
              ElementsAre("constexpr int V = Rows::kV;",
                          StartsWith("const auto r1 = rows.template Reduce<Softmax, 0, false>"), "  return v0;", "});",
                          StartsWith("rows.Each("), "  const auto v1 = Map<Softmax>(v0, Pick(r1, spot.slot));",
                          "  out.template Store<0, 8>(p.out0, p.ld_out0, cell, v1);", "});"));
}

TEST(RowTextTest, AValueOfOneElementARowIsTheLastsToStore) {
  const std::string text = TextOf({{.kind = OpKind::kRowSum}, {.kind = OpKind::kSqrt, .input = 1}, Store(2, 2)});
  EXPECT_THAT(text, HasSubstr("const auto v1 = rows.template Reduce<RowSum, 0, true>"));
  EXPECT_THAT(text, HasSubstr("const auto v2 = MapRows<Sqrt>(v1);"));
  EXPECT_THAT(text, HasSubstr("rows.Store(p.out2, v2);"));
  EXPECT_THAT(text, Not(HasSubstr("rows.Each")));
}

TEST(RowTextTest, OnlyTheLastOfSeveralReductionsIsNobodysToWaitFor) {
  const std::string text =
      TextOf({{.kind = OpKind::kRmsNorm, .params = {1e-5f}}, {.kind = OpKind::kRowSum, .input = 1}, Store(2, 2)});
  EXPECT_THAT(text, HasSubstr("Reduce<RmsNorm, 0, false>"));
  EXPECT_THAT(text, HasSubstr("Reduce<RowSum, 1, true>"));
}

TEST(RowTextTest, WhatElementsDependOnIsNotTheLasts) {
  const std::string text =
      TextOf({{.kind = OpKind::kRowMax}, {.kind = OpKind::kSub, .input = 0, .operand_value = 1}, Store(2, 0)});
  EXPECT_THAT(text, HasSubstr("Reduce<RowMax, 0, false>"));
  EXPECT_THAT(text, HasSubstr("const auto v2 = Map<Sub>(v0, Pick(v1, spot.slot));"));
}

TEST(RowTextTest, KeepsWhatTheReductionTakesWhereTheRestIsMadeOfIt) {
  const std::vector<Node> chain = {AddRow(0),
                                   {.kind = OpKind::kGeluErf, .input = 1},
                                   {.kind = OpKind::kLayerNorm, .input = 2, .params = {1e-5f}},
                                   Store(3, 0)};
  EXPECT_THAT(TextOf(chain), HasSubstr("rows.Keep("));
  EXPECT_THAT(TextOf(chain), HasSubstr("const Vec<V>& v2, typename Rows::Writer& out"));
  EXPECT_THAT(TextOf(chain, false), Not(HasSubstr("rows.Keep(")));
}

TEST(RowTextTest, KeepsNothingWhereSomethingElseIsStored) {
  const std::vector<Node> chain = {AddRow(0),
                                   Store(1, 0),
                                   {.kind = OpKind::kGeluErf, .input = 2},
                                   {.kind = OpKind::kSoftmax, .input = 3},
                                   Store(4, 1)};
  EXPECT_THAT(TextOf(chain), Not(HasSubstr("rows.Keep(")));
}

TEST(RowTextTest, AStoreOfTheKeptValueIsNoReasonToMakeItAnew) {
  const std::vector<Node> chain = {AddRow(0), Store(1, 0), {.kind = OpKind::kSoftmax, .input = 2}, Store(3, 1)};
  const std::string text = TextOf(chain);
  EXPECT_THAT(text, HasSubstr("rows.Keep("));
  EXPECT_THAT(text, HasSubstr("out.template Store<0, 8>(p.out0, p.ld_out0, cell, v1);"));
}

}  // namespace
}  // namespace gemmd
