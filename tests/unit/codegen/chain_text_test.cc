#include "codegen/chain_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;

// A and B of f16, a scalar, a row, a column, a full and a column-major full operand.
Graph OperandGraph() {
  Graph graph;
  graph.inputs = {
      {DType::kF16, Layout::kRowMajor, {Axis::kM, Axis::kK}},
      {DType::kF16, Layout::kColumnMajor, {Axis::kK, Axis::kN}},
      {DType::kF32, Layout::kRowMajor, {}},
      {DType::kF16, Layout::kRowMajor, {Axis::kN}},
      {DType::kBf16, Layout::kRowMajor, {Axis::kM}},
      {DType::kF16, Layout::kRowMajor, {Axis::kM, Axis::kN}},
      {DType::kF32, Layout::kColumnMajor, {Axis::kM, Axis::kN}},
  };
  graph.a = 0;
  graph.b = 1;
  graph.outputs = {{DType::kF16}, {DType::kF32}};
  return graph;
}

AccessWidths Widths() { return {{8, 8, 1, 8, 1, 8, 1}, {8, 4}}; }

Node Binary(OpKind kind, int input, int operand, float scale = 1.0f) {
  Node node;
  node.kind = kind;
  node.input = input;
  node.operand = operand;
  node.scale = scale;
  constexpr Broadcast kBroadcasts[] = {Broadcast::kFull,   Broadcast::kFull, Broadcast::kScalar, Broadcast::kRow,
                                       Broadcast::kColumn, Broadcast::kFull, Broadcast::kFull};
  node.broadcast = kBroadcasts[operand];
  return node;
}

Node Store(int input, int output) {
  Node node;
  node.kind = OpKind::kStore;
  node.input = input;
  node.output = output;
  return node;
}

TEST(EpilogueStatementsTest, ReachesEachKindOfOperandInItsOwnWay) {
  Graph graph = OperandGraph();
  graph.epilogue = {Binary(OpKind::kAdd, 0, 2), Binary(OpKind::kSub, 1, 3), Binary(OpKind::kMul, 2, 4),
                    Binary(OpKind::kAdd, 3, 5), Binary(OpKind::kAdd, 4, 6), Store(5, 0)};
  EXPECT_THAT(EpilogueStatements(graph, Widths()),
              ElementsAre("const auto v1 = Map<Add>(v0, p.in2);",
                          "const auto v2 = Zip<Sub>(v1, Widen(LoadRow<8>(p.in3, cell)));",
                          "const auto v3 = Zip<Mul>(v2, Widen(LoadColumn(p.in4, cell)));",
                          "const auto v4 = Zip<Add>(v3, Widen(o.in5));",
                          "const auto v5 = Zip<Add>(v4, Widen(LoadColumnMajor(p.in6, p.ld_in6, cell)));",
                          "out.template Store<0, 8>(p.out0, p.ld_out0, cell, v5);"));
  const std::vector<OperandLoad> loads = OperandLoads(graph, Widths());
  ASSERT_EQ(loads.size(), 1u);
  EXPECT_EQ(loads[0].member, "Raw<Half, V> in5;");
  EXPECT_EQ(loads[0].expression, "LoadRowMajor<8>(p.in5, p.ld_in5, cell)");
}

TEST(OperandLoadsTest, FetchAnOperandOnceHoweverOftenItIsUsed) {
  Graph graph = OperandGraph();
  graph.epilogue = {Binary(OpKind::kAdd, 0, 5), Binary(OpKind::kMul, 1, 5), Store(2, 0)};
  EXPECT_EQ(OperandLoads(graph, Widths()).size(), 1u);
}

TEST(OperandLoadsTest, FetchAheadNoMoreThanRegistersAllow) {
  Graph graph = OperandGraph();
  graph.inputs[6] = graph.inputs[5];
  graph.epilogue = {Binary(OpKind::kAdd, 0, 5), Binary(OpKind::kMul, 1, 6), Store(2, 0)};
  EXPECT_EQ(OperandLoads(graph, Widths()).size(), 1u);
  graph.inputs[5].dtype = graph.inputs[6].dtype = DType::kF32;
  EXPECT_TRUE(OperandLoads(graph, Widths()).empty());
}

TEST(EpilogueStatementsTest, ScalesOperandsAndSkipsAScaleOfOne) {
  Graph graph = OperandGraph();
  graph.epilogue = {Binary(OpKind::kAdd, 0, 2, 0.5f), Binary(OpKind::kAdd, 1, 3, 0.5f), Store(2, 0)};
  EXPECT_THAT(EpilogueStatements(graph, Widths()),
              ElementsAre("const auto v1 = Map<Add>(v0, p.in2 * 0x1p-1f);",
                          "const auto v2 = Zip<Add>(v1, Map<Mul>(Widen(LoadRow<8>(p.in3, cell)), 0x1p-1f));",
                          "out.template Store<0, 8>(p.out0, p.ld_out0, cell, v2);"));
}

TEST(EpilogueStatementsTest, LetsAnAuxStorePassItsValueThrough) {
  Graph graph = OperandGraph();
  Node gelu;
  gelu.kind = OpKind::kGeluErf;
  gelu.input = 1;
  Node cast;
  cast.kind = OpKind::kCast;
  cast.input = 2;
  cast.dtype = DType::kBf16;
  graph.epilogue = {Store(0, 0), gelu, cast, Store(3, 1)};
  EXPECT_THAT(EpilogueStatements(graph, Widths()),
              ElementsAre("out.template Store<0, 8>(p.out0, p.ld_out0, cell, v0);", "const auto& v1 = v0;",
                          "const auto v2 = Map<GeluErf>(v1);", "const auto v3 = Round<BFloat16>(v2);",
                          "out.template Store<1, 4>(p.out1, p.ld_out1, cell, v3);"));
}

TEST(EpilogueStatementsTest, LoadsBeforeAStoreWhatItMayOverwriteInPlace) {
  Graph graph = OperandGraph();
  graph.inputs[5].dtype = DType::kF32;  // too large to be fetched ahead
  graph.inputs[6].dtype = DType::kF32;  // column-major: no output lies on it
  graph.epilogue = {
      Binary(OpKind::kAdd, 0, 5), Store(1, 0), Store(1, 1), Binary(OpKind::kMul, 3, 5), Binary(OpKind::kSub, 4, 6),
      Binary(OpKind::kAdd, 5, 5)};
  EXPECT_THAT(EpilogueStatements(graph, {{8, 8, 1, 8, 1, 4, 1}, {8, 4}}),
              ElementsAre("const auto v1 = Zip<Add>(v0, Widen(LoadRowMajor<4>(p.in5, p.ld_in5, cell)));",
                          "out.template Store<0, 8>(p.out0, p.ld_out0, cell, v1);",  // f16: cannot lie on in5
                          "const auto in5 = LoadRowMajor<4>(p.in5, p.ld_in5, cell);",
                          "out.template Store<1, 4>(p.out1, p.ld_out1, cell, v1);", "const auto& v3 = v1;",
                          "const auto v4 = Zip<Mul>(v3, Widen(in5));",
                          "const auto v5 = Zip<Sub>(v4, Widen(LoadColumnMajor(p.in6, p.ld_in6, cell)));",
                          "const auto v6 = Zip<Add>(v5, Widen(in5));"));
}

TEST(EpilogueStatementsTest, PassesParametersToTheirFunctor) {
  Graph graph = OperandGraph();
  graph.epilogue = {Node{.kind = OpKind::kElu, .input = 0, .params = {0.5f}},
                    Node{.kind = OpKind::kClamp, .input = 1, .params = {-INFINITY, 6.0f}}, Store(2, 0)};
  EXPECT_THAT(
      EpilogueStatements(graph, Widths()),
      ElementsAre("const auto v1 = Map<Elu>(v0, 0x1p-1f);", "const auto v2 = Map<Clamp>(v1, -Infinity(), 0x1.8p+2f);",
                  "out.template Store<0, 8>(p.out0, p.ld_out0, cell, v2);"));
}

TEST(PrologueStatementsTest, ReachOperandsAsTheChainSeesThemAndReturnTheLastValue) {
  Graph graph = OperandGraph();
  graph.prologue_a = {Binary(OpKind::kMul, 0, 2), Binary(OpKind::kSub, 1, 3, 0.5f), Binary(OpKind::kAdd, 2, 5),
                      Node{.kind = OpKind::kSilu, .input = 3}};
  graph.prologue_a[1].broadcast = Broadcast::kColumn;
  EXPECT_THAT(PrologueStatements(graph, graph.prologue_a, Widths()),
              ElementsAre("const auto v1 = Map<Mul>(v0, p.in2);",
                          "const auto v2 = Zip<Sub>(v1, Map<Mul>(Widen(LoadColumn(p.in3, cell)), 0x1p-1f));",
                          "const auto v3 = Zip<Add>(v2, Widen(LoadRowMajor<8>(p.in5, p.ld_in5, cell)));",
                          "const auto v4 = Map<Silu>(v3);", "return v4;"));
}

TEST(PrologueStatementsTest, LeaveTheEpiloguesFetchesAlone) {
  Graph graph = OperandGraph();
  graph.prologue_b = {Binary(OpKind::kAdd, 0, 5)};
  graph.epilogue = {Store(0, 0)};
  EXPECT_TRUE(OperandLoads(graph, Widths()).empty());
}

TEST(ChainStatementsTest, JoinsEarlierValues) {
  Graph graph = OperandGraph();
  const Node join{.kind = OpKind::kMul, .input = 1, .operand_value = 0};
  const Node scaled{.kind = OpKind::kGt, .input = 2, .operand_value = 2, .scale = 0.5f};
  const Node stored{.kind = OpKind::kAdd, .input = 4, .operand_value = 4};
  graph.epilogue = {Node{.kind = OpKind::kSigmoid}, join, scaled, Store(3, 0), stored, Store(5, 1)};
  EXPECT_THAT(
      EpilogueStatements(graph, Widths()),
      ElementsAre("const auto v1 = Map<Sigmoid>(v0);", "const auto v2 = Zip<Mul>(v1, v0);",
                  "const auto v3 = Zip<Greater>(v2, Map<Mul>(v2, 0x1p-1f));",
                  "out.template Store<0, 8>(p.out0, p.ld_out0, cell, v3);", "const auto& v4 = v3;",
                  "const auto v5 = Zip<Add>(v4, v4);", "out.template Store<1, 4>(p.out1, p.ld_out1, cell, v5);"));
}

TEST(ChainStatementsTest, SelectsByInputsAndEarlierValues) {
  Graph graph = OperandGraph();
  graph.epilogue = {Node{.kind = OpKind::kWhere, .literal = 0.0f, .condition = {5, Broadcast::kFull}},
                    Node{.kind = OpKind::kWhere, .input = 1, .operand = 2, .scale = 2.0f, .condition = {.value = 0}},
                    Node{.kind = OpKind::kWhere, .input = 2, .operand_value = 0, .condition = {2, Broadcast::kScalar}},
                    Store(3, 0)};
  EXPECT_THAT(EpilogueStatements(graph, Widths()),
              ElementsAre("const auto v1 = Zip<Where>(v0, Splat<V>(0x0p+0f), Widen(o.in5));",
                          "const auto v2 = Zip<Where>(v1, Splat<V>(p.in2 * 0x1p+1f), v0);",
                          "const auto v3 = Zip<Where>(v2, v0, Splat<V>(p.in2));",
                          "out.template Store<0, 8>(p.out0, p.ld_out0, cell, v3);"));
  EXPECT_EQ(OperandLoads(graph, Widths()).size(), 1u);
}

TEST(EpilogueStatementsTest, TakeWhatAGateMakesOfBothHalves) {
  Graph graph = OperandGraph();
  graph.outputs[1].axes = {Axis::kM, Axis::kHalfN};
  graph.inputs[5].axes = {Axis::kM, Axis::kHalfN};
  graph.epilogue = {Binary(OpKind::kAdd, 0, 3),
                    Node{.kind = OpKind::kNeg, .input = 1},
                    Store(2, 0),
                    Node{.kind = OpKind::kSwiglu, .input = 1},
                    Binary(OpKind::kAdd, 4, 5),
                    Node{.kind = OpKind::kMul, .input = 5, .operand_value = 4},
                    Store(6, 1)};
  EXPECT_THAT(
      BeforeGateStatements(graph, Widths()),
      ElementsAre("const auto v1 = Zip<Add>(v0, Widen(LoadRow<8>(p.in3, cell)));", "const auto v2 = Map<Neg>(v1);",
                  "out.template Store<0 + kHalf, 8>(p.out0, p.ld_out0, cell, v2);", "return v1;"));
  EXPECT_THAT(EpilogueStatements(graph, Widths()),
              ElementsAre("const auto v0 = Zip<Swiglu>(BeforeGate<0>(cell, x, out), BeforeGate<1>(other, y, out));",
                          "const auto v1 = Zip<Add>(v0, Widen(o.in5));", "const auto v2 = Zip<Mul>(v1, v0);",
                          "out.template Store<2, 4>(p.out1, p.ld_out1, cell, v2);"));
  graph.epilogue.erase(graph.epilogue.begin() + 3, graph.epilogue.end());
  EXPECT_TRUE(BeforeGateStatements(graph, Widths()).empty());
}

TEST(FragmentLinesTest, WriteBothHalvesOfWhatIsStoredBeforeAGate) {
  Graph graph = OperandGraph();
  graph.outputs[1].axes = {Axis::kM, Axis::kHalfN};
  graph.epilogue = {Store(0, 0), Node{.kind = OpKind::kSwiglu, .input = 0}, Store(2, 1)};
  EXPECT_THAT(FragmentLines(graph, Widths()),
              IsSupersetOf({"  out.template Flush<0, 8>(p.out0, p.ld_out0, slice);",
                            "  out.template Flush<1, 8>(p.out0, p.ld_out0, slice.OtherHalf());",
                            "  out.template Flush<2, 4>(p.out1, p.ld_out1, slice);"}));
}

TEST(ChainStatementsTest, NameAStoredValueThatAGateTakes) {
  Graph graph = OperandGraph();
  Node gate;
  gate.kind = OpKind::kSwiglu;
  gate.input = 1;
  graph.epilogue = {Store(0, 0), gate, Store(2, 1)};
  EXPECT_THAT(BeforeGateStatements(graph, Widths()),
              ElementsAre("out.template Store<0 + kHalf, 8>(p.out0, p.ld_out0, cell, v0);", "const auto& v1 = v0;",
                          "return v1;"));
}

TEST(OperandLoadsTest, FetchNothingAheadFromBeforeAGate) {
  Graph graph = OperandGraph();
  graph.epilogue = {Binary(OpKind::kAdd, 0, 5), Node{.kind = OpKind::kSwiglu, .input = 1}, Store(2, 0)};
  EXPECT_TRUE(OperandLoads(graph, Widths()).empty());
}

TEST(FloatLiteralTest, KeepsEveryBit) {
  for (const float value :
       {1.25f, -0.0f, 0.1f, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max(), -3.4028e38f}) {
    const std::string text = FloatLiteral(value);
    ASSERT_EQ(text.back(), 'f');
    const float back = std::strtof(text.substr(0, text.size() - 1).c_str(), nullptr);
    EXPECT_EQ(back, value) << text;
    EXPECT_EQ(std::signbit(back), std::signbit(value)) << text;
  }
}

Node Unary(OpKind kind, int input) { return Node{.kind = kind, .input = input}; }

Node StoreAs(DType dtype, int input, int output) {
  Node node = Store(input, output);
  node.dtype = dtype;
  return node;
}

std::string FirstStatement(std::vector<Node> chain) {
  Graph graph = OperandGraph();
  graph.epilogue = std::move(chain);
  return EpilogueStatements(graph, Widths()).front();
}

TEST(EpilogueStatementsTest, TakesTheRoundedFormOfWhatIsOnlyStoredInSixteenBits) {
  const Node gelu = Unary(OpKind::kGeluErf, 0);
  EXPECT_EQ(FirstStatement({gelu, StoreAs(DType::kF16, 1, 0)}), "const auto v1 = Map<RoundedTo<GeluErf, Half>>(v0);");
  EXPECT_EQ(FirstStatement({gelu, StoreAs(DType::kBf16, 1, 0), StoreAs(DType::kBf16, 1, 1)}),
            "const auto v1 = Map<RoundedTo<GeluErf, BFloat16>>(v0);");
}

TEST(EpilogueStatementsTest, TakesTheExactFormOfWhatIsUsedOtherwise) {
  const Node gelu = Unary(OpKind::kGeluErf, 0);
  const std::string exact = "const auto v1 = Map<GeluErf>(v0);";
  EXPECT_EQ(FirstStatement({gelu, StoreAs(DType::kF32, 1, 0)}), exact);
  EXPECT_EQ(FirstStatement({gelu, StoreAs(DType::kF16, 1, 0), StoreAs(DType::kBf16, 1, 1)}), exact);
  EXPECT_EQ(FirstStatement({gelu, StoreAs(DType::kF16, 1, 0), Unary(OpKind::kAbs, 2), StoreAs(DType::kF16, 3, 1)}),
            exact)
      << "what a store passes on is the value itself";
  EXPECT_EQ(FirstStatement({gelu, Unary(OpKind::kAbs, 1), StoreAs(DType::kF16, 2, 0)}), exact);
  EXPECT_EQ(FirstStatement({Unary(OpKind::kTanh, 0), StoreAs(DType::kF16, 1, 0)}), "const auto v1 = Map<Tanh>(v0);");
}

TEST(EpilogueStatementsTest, PacksAFactorExactly) {
  Graph graph = OperandGraph();
  graph.b = -1;
  graph.epilogue = {Unary(OpKind::kGeluErf, 0), StoreAs(DType::kF16, 1, 0)};
  EXPECT_EQ(EpilogueStatements(graph, Widths()).front(), "const auto v1 = Map<GeluErf>(v0);");
}

TEST(EpilogueStatementsTest, AGateHasARoundedFormToo) {
  EXPECT_EQ(FirstStatement({Unary(OpKind::kSwiglu, 0), StoreAs(DType::kBf16, 1, 0)}),
            "const auto v0 = Zip<RoundedTo<Swiglu, BFloat16>>(BeforeGate<0>(cell, x, out), BeforeGate<1>(other, y, "
            "out));");
  EXPECT_EQ(FirstStatement({Unary(OpKind::kSwiglu, 0), Unary(OpKind::kAbs, 1), StoreAs(DType::kBf16, 2, 0)}),
            "const auto v0 = Zip<Swiglu>(BeforeGate<0>(cell, x, out), BeforeGate<1>(other, y, out));");
}

}  // namespace
}  // namespace gemmd
