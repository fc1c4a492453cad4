#include "spec/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "sample_spec.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

constexpr std::int64_t kTooLong = std::int64_t{1} << 31;

struct Bend {
  const char* name;
  std::function<void(KernelSpec&)> apply;
  std::vector<std::string> errors;  // empty: still valid
};

class ValidateTest : public ::testing::TestWithParam<Bend> {};

TEST_P(ValidateTest, ReportsExactly) {
  KernelSpec spec = SampleSpec();
  GetParam().apply(spec);
  EXPECT_THAT(RenderAll(Validate(spec)), ElementsAreArray(GetParam().errors));
}

auto NameOf(const ::testing::TestParamInfo<Bend>& info) { return std::string(info.param.name); }

const Bend kTensorBends[] = {
    {"Nothing", [](KernelSpec&) {}, {}},
    {"Version", [](KernelSpec& s) { s.version = 2; }, {"version: 2 is not 1"}},
    {"LongName",
     [](KernelSpec& s) { s.name = std::string(257, 'a'); },
     {"name: a name of 257 bytes is not at most 256 long"}},
    {"DimName",
     [](KernelSpec& s) {
       s.dims["a b"] = {3};
       s.inputs["bias"].shape = {"a b"};
     },
     {"dims[\"a b\"]: \"a b\" is not an identifier",
      "epilogue[2].operand: \"bias\" of shape [a b (3)] is not [], [N (256)], [M] or [M, N (256)]"}},
    {"NegativeDim", [](KernelSpec& s) { s.dims["N"] = {-1}; }, {"dims.N: -1 is not between 0 and 2147418111"}},
    {"LongDim",
     [](KernelSpec& s) { s.dims["N"] = {kTooLong}; },
     {"dims.N: 2147483648 is not between 0 and 2147418111"}},
    {"ZeroDim", [](KernelSpec& s) { s.dims["K"] = {0}; }, {}},
    {"UnusedDim", [](KernelSpec& s) { s.dims["P"] = {1}; }, {"dims.P: \"P\" is not used by any input"}},
    {"UnknownDim",
     [](KernelSpec& s) {
       s.dims["hidden"] = {256};
       s.inputs["bias"].shape = {"hiden"};
       s.inputs["w"].shape[1] = "hidden";
       s.inputs["residual"].shape[1] = "hidden";
     },
     {"inputs.bias.shape[0]: \"hiden\" is not a dim; did you mean \"hidden\"?"}},
    {"UnusedInput",
     [](KernelSpec& s) { s.inputs["extra"] = s.inputs["bias"]; },
     {"inputs.extra: \"extra\" is not used by the matmul or any operation"}},
    {"InputName",
     [](KernelSpec& s) {
       s.inputs["9"] = s.inputs["bias"];
       s.epilogue[2].operand = "9";
       s.inputs.erase("bias");
     },
     {"inputs[\"9\"]: \"9\" is not an identifier"}},
    {"Rank3",
     [](KernelSpec& s) { s.inputs["x"].shape.insert(s.inputs["x"].shape.begin(), std::int64_t{1}); },
     {"inputs.x.shape: rank 3 is not rank 0, 1 or 2", "matmul.a: \"x\" of rank 3 is not a matrix"}},
    {"VectorAsFactor",
     [](KernelSpec& s) { s.matmul_b = "bias"; },
     {"matmul.b: \"bias\" of rank 1 is not a matrix", "inputs.w: \"w\" is not used by the matmul or any operation"}},
    {"Huge",
     [](KernelSpec& s) {
       s.inputs["residual"].shape = {kMaxExtent, kMaxExtent};
       s.inputs["residual"].dtype = DType::kF32;
       s.epilogue.erase(s.epilogue.begin() + 1);
       s.epilogue[1] = {.kind = OpKind::kAdd, .operand = "residual"};
       s.inputs.erase("bias");
     },
     {"inputs.residual.shape: its size is not under 2^62 bytes",
      "epilogue[1].operand: \"residual\" of shape [2147418111, 2147418111] is not [], [N (256)], [M] or [M, N (256)]"}},
    {"HugeResult",
     [](KernelSpec& s) {
       s.dims = {{"M", {kMaxExtent}}, {"K", {1}}, {"N", {kMaxExtent}}};
       s.inputs.erase("residual");
       s.epilogue.erase(s.epilogue.begin() + 1);
     },
     {"matmul: the size of its result is not under 2^62 bytes"}},
    {"ColumnMajorVector",
     [](KernelSpec& s) { s.inputs["bias"].layout = Layout::kColumnMajor; },
     {"inputs.bias.layout: \"column_major\" is not a layout of a scalar or vector"}},
    {"ColumnMajorOperand", [](KernelSpec& s) { s.inputs["residual"].layout = Layout::kColumnMajor; }, {}},
    {"UnknownFactor",
     [](KernelSpec& s) { s.matmul_a = "xx"; },
     {"matmul.a: \"xx\" is not an input; did you mean \"x\"?"}},
    {"MissingFactor", [](KernelSpec& s) { s.matmul_a = ""; }, {"matmul.a: missing; expected an input"}},
    {"InnerExtents",
     [](KernelSpec& s) { s.inputs["w"].shape[0] = std::int64_t{513}; },
     {"inputs.w.shape[0]: 513 is not K (512), the columns of \"x\""}},
    {"InnerExtentsByLiteral", [](KernelSpec& s) { s.inputs["w"].shape[0] = std::int64_t{512}; }, {}},
    {"InnerDynamicAgainstLiteral",
     [](KernelSpec& s) {
       s.dims["K"] = {};
       s.inputs["w"].shape[0] = std::int64_t{512};
     },
     {"inputs.w.shape[0]: 512 is not K, the columns of \"x\""}},
    {"DynamicEverywhere",
     [](KernelSpec& s) {
       s.dims = {{"M", {}}, {"K", {}}, {"N", {}}};
     },
     {}},
    {"FactorTypes",
     [](KernelSpec& s) { s.inputs["w"].dtype = DType::kBf16; },
     {"matmul.b: \"w\" of bf16 is not of f16, the element type of \"x\""}},
    {"OneTensorForBoth",
     [](KernelSpec& s) {
       s.inputs = {{"x", {DType::kF16, {"N", "N"}, Layout::kRowMajor}}};
       s.dims.erase("M");
       s.dims.erase("K");
       s.matmul_b = "x";
       s.epilogue = {Store("out", DType::kF16)};
     },
     {}},
    {"UnbuiltType",
     [](KernelSpec& s) { s.inputs["bias"].dtype = DType::kF8E4M3; },
     {"inputs.bias.dtype: \"f8e4m3\" is not implemented; f32, f16 and bf16 are"}},
    {"PrecisionOfHalf",
     [](KernelSpec& s) { s.precision = Precision::kIeee; },
     {"precision: \"ieee\" is not a choice for f16 inputs; only f32 has one"}},
    {"IeeeFloat",
     [](KernelSpec& s) {
       s.inputs["x"].dtype = s.inputs["w"].dtype = DType::kF32;
       s.precision = Precision::kIeee;
     },
     {}},
    {"FloatInThreeProducts",
     [](KernelSpec& s) {
       s.inputs["x"].dtype = s.inputs["w"].dtype = DType::kF32;
       s.precision = Precision::kTf32x3;
     },
     {}},
    {"NotDeterministic", [](KernelSpec& s) { s.deterministic = false; }, {}},
    {"Schedule",
     [](KernelSpec& s) { s.config.schedule = "mmaa"; },
     {"config.schedule: \"mmaa\" is not a schedule (simt, mma, wgmma, skinny); did you mean \"mma\"?"}},
    {"TileRank",
     [](KernelSpec& s) {
       s.config.tile = {128, 128};
     },
     {"config.tile: a list of 2 is not m, n and k"}},
    {"TileSign",
     [](KernelSpec& s) {
       s.config = {"", {128, 0, 32}, 0};
     },
     {"config.tile[1]: 0 is not positive", "config.stages: 0 is not positive"}},
    {"TooManyTensors",
     [](KernelSpec& s) {
       for (int i = 0; i < 128; ++i) s.epilogue.push_back(Store("o" + std::to_string(i), DType::kF16));
     },
     {"inputs: a total of 136 inputs and outputs is not at most 128"}},
};
INSTANTIATE_TEST_SUITE_P(Tensors, ValidateTest, ::testing::ValuesIn(kTensorBends), NameOf);

const Bend kChainBends[] = {
    {"UnknownOperand",
     [](KernelSpec& s) { s.epilogue[1].operand = "resid"; },
     {"epilogue[1].operand: \"resid\" is not an input or the id of an earlier operation; did you mean \"residual\"?"}},
    {"OperandShape",
     [](KernelSpec& s) { s.inputs["bias"].shape = {"K"}; },
     {"epilogue[2].operand: \"bias\" of shape [K (512)] is not [], [N (256)], [M] or [M, N (256)]"}},
    {"TransposedOperand",
     [](KernelSpec& s) {
       s.inputs["residual"].shape = {"N", "M"};
     },
     {"epilogue[1].operand: \"residual\" of shape [N (256), M] is not [], [N (256)], [M] or [M, N (256)]"}},
    {"OperandByLiteral", [](KernelSpec& s) { s.inputs["bias"].shape = {std::int64_t{256}}; }, {}},
    {"ValueAndOperand",
     [](KernelSpec& s) { s.epilogue[2].value = 1.0; },
     {"epilogue[2]: a value together with an operand is not one second argument for \"add\""}},
    {"NeitherValueNorOperand",
     [](KernelSpec& s) { s.epilogue[0].value.reset(); },
     {"epilogue[0]: missing; expected a value or an operand for \"mul\""}},
    {"ScaleWithoutOperand",
     [](KernelSpec& s) { s.epilogue[0].scale = 2.0; },
     {"epilogue[0].scale: \"scale\" is not a field of an operation without operand"}},
    {"InfiniteValue",
     [](KernelSpec& s) { s.epilogue[0].value = std::numeric_limits<double>::infinity(); },
     {"epilogue[0].value: inf is not a number that f32 can hold"}},
    {"NotANumber",
     [](KernelSpec& s) { s.epilogue[1].scale = std::nan(""); },
     {"epilogue[1].scale: nan is not a number that f32 can hold"}},
    {"OverflowingValue",
     [](KernelSpec& s) { s.epilogue[0].value = 1e39; },
     {"epilogue[0].value: 1e+39 is not a number that f32 can hold"}},
    {"UnderflowingValue",
     [](KernelSpec& s) { s.epilogue[0].value = 1e-60; },
     {"epilogue[0].value: 1e-60 is not a number that f32 can hold"}},
    {"LargestValue", [](KernelSpec& s) { s.epilogue[0].value = std::numeric_limits<float>::max(); }, {}},
    {"ZeroValue", [](KernelSpec& s) { s.epilogue[0].value = 0.0; }, {}},
    {"StrayFields",
     [](KernelSpec& s) {
       s.epilogue[5].value = 1.0;
       s.epilogue[5].output = "o";
       s.epilogue[5].dtype = DType::kF16;
     },
     {"epilogue[5].value: \"value\" is not a field of \"gelu\"",
      "epilogue[5].output: \"output\" is not a field of \"gelu\"",
      "epilogue[5].dtype: \"dtype\" is not a field of \"gelu\""}},
    {"Parameters",
     [](KernelSpec& s) {
       s.epilogue.insert(s.epilogue.begin(), {{.kind = OpKind::kClamp, .min = 0.0},
                                              {.kind = OpKind::kClamp, .min = -1.0, .max = -1.0},
                                              {.kind = OpKind::kElu},
                                              {.kind = OpKind::kLeakyRelu, .value = -0.5},
                                              {.kind = OpKind::kSoftcap, .value = 30.0}});
     },
     {}},
    {"StrayParameters",
     [](KernelSpec& s) {
       s.epilogue[0].min = 1.0;
       s.epilogue[5].alpha = 1.0;
       s.epilogue[6] = {.kind = OpKind::kElu, .value = 1.0};
     },
     {"epilogue[0].min: \"min\" is not a field of \"mul\"", "epilogue[5].alpha: \"alpha\" is not a field of \"gelu\"",
      "epilogue[6].value: \"value\" is not a field of \"elu\"",
      "inputs.shift: \"shift\" is not used by the matmul or any operation"}},
    {"UnboundedClamp",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kClamp}; },
     {"epilogue[5]: missing; expected a min or a max for \"clamp\""}},
    {"EmptyClamp",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kClamp, .min = 2.0, .max = 1.0}; },
     {"epilogue[5].min: 2 is not at most the max, 1"}},
    {"SoftcapWithoutCap",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kSoftcap}; },
     {"epilogue[5].value: missing; expected a number for \"softcap\""}},
    {"SoftcapOfZero",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kSoftcap, .value = 0.0}; },
     {"epilogue[5].value: 0 is not greater than 0"}},
    {"InfiniteParameter",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kElu, .alpha = std::nan("")}; },
     {"epilogue[5].alpha: nan is not a number that f32 can hold"}},
    {"CastWithoutType",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kCast}; },
     {"epilogue[5].dtype: missing; expected the element type to round to"}},
    {"UnbuiltStore",
     [](KernelSpec& s) { s.epilogue[7].dtype = DType::kI8; },
     {"epilogue[7].dtype: \"i8\" is not implemented; f32, f16 and bf16 are"}},
    {"StoreWithoutName",
     [](KernelSpec& s) { s.epilogue[4].output = ""; },
     {"epilogue[4].output: missing; expected the output's name"}},
    {"OutputName",
     [](KernelSpec& s) { s.epilogue[4].output = "a-b"; },
     {"epilogue[4].output: \"a-b\" is not an identifier"}},
    {"OutputIsInput",
     [](KernelSpec& s) { s.epilogue[4].output = "bias"; },
     {"epilogue[4].output: \"bias\", the name of an input, is not free for an output"}},
    {"OutputTwice",
     [](KernelSpec& s) { s.epilogue[4].output = "out"; },
     {"epilogue[7].output: \"out\", stored before, is not free for another output"}},
    {"NoStore",
     [](KernelSpec& s) {
       s.epilogue = {s.epilogue.begin(), s.epilogue.begin() + 4};
     },
     {"epilogue: missing; expected at least one \"store\"",
      "inputs.shift: \"shift\" is not used by the matmul or any operation"}},
    {"Empty",
     [](KernelSpec& s) {
       s.epilogue.clear();
       s.inputs = {{"x", s.inputs["x"]}, {"w", s.inputs["w"]}};
     },
     {"epilogue: missing; expected at least one \"store\""}},
    {"DeadTail",
     [](KernelSpec& s) { s.epilogue.push_back({.kind = OpKind::kRelu}); },
     {"epilogue[8]: the value of \"relu\" is not stored by any later operation"}},
    {"DeadBranch",
     [](KernelSpec& s) {
       s.epilogue[2].id = "sum";
       s.epilogue[4].input = "sum";
     },
     {"epilogue[3]: the value of \"mul\" is not stored by any later operation"}},
    {"LiveBranch",
     [](KernelSpec& s) {
       s.epilogue[3].id = "scaled";
       s.epilogue.push_back({.kind = OpKind::kTanh, .input = "scaled"});
       s.epilogue.push_back(Store("tanh", DType::kF32));
     },
     {}},
    {"UnknownId",
     [](KernelSpec& s) {
       s.epilogue[3].id = "scaled";
       s.epilogue[5].input = "scled";
     },
     {"epilogue[5].input: \"scled\" is not the id of an earlier operation; did you mean \"scaled\"?"}},
    {"LaterId",
     [](KernelSpec& s) {
       s.epilogue[5].id = "act";
       s.epilogue[4].input = "act";
     },
     {"epilogue[4].input: \"act\" is not the id of an earlier operation"}},
    {"OwnId",
     [](KernelSpec& s) {
       s.epilogue[5].id = "act";
       s.epilogue[5].input = "act";
     },
     {"epilogue[5].input: \"act\" is not the id of an earlier operation"}},
    {"IdTwice",
     [](KernelSpec& s) { s.epilogue[0].id = s.epilogue[1].id = "v"; },
     {"epilogue[1].id: \"v\" is not unique in the chain"}},
    {"IdOfAnInput",
     [](KernelSpec& s) { s.epilogue[0].id = "bias"; },
     {"epilogue[0].id: \"bias\", the name of an input, is not free for an id"}},
    {"Join",
     [](KernelSpec& s) {
       s.epilogue[3].id = "sum";
       s.epilogue.insert(s.epilogue.begin() + 6, {.kind = OpKind::kMul, .operand = "sum", .scale = 0.5});
     },
     {}},
    {"JoinKeepsABranchAlive",
     [](KernelSpec& s) {
       s.epilogue[3].id = "sum";
       s.epilogue[5].id = "act";
       s.epilogue[6] = {.kind = OpKind::kAdd, .operand = "shift", .input = "sum"};
       s.epilogue.insert(s.epilogue.begin() + 7, {.kind = OpKind::kMax, .operand = "act"});
     },
     {}},
    {"JoinOfALaterValue",
     [](KernelSpec& s) {
       s.epilogue[5].id = "act";
       s.epilogue[3] = {.kind = OpKind::kMul, .operand = "act"};
       s.inputs.erase("row_scale");
     },
     {"epilogue[3].operand: \"act\" is not an input or the id of an earlier operation"}},
    {"JoinOfAMisspeltValue",
     [](KernelSpec& s) {
       s.epilogue[0].id = "scaled";
       s.epilogue[5] = {.kind = OpKind::kLt, .operand = "scald"};
     },
     {"epilogue[5].operand: \"scald\" is not an input or the id of an earlier operation; did you mean \"scaled\"?"}},
    {"Gate", [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kSwiglu}; }, {}},
    {"OperandsOfAHalf",
     [](KernelSpec& s) {
       s.dims["H"] = {128};
       s.inputs["gain"] = {DType::kF32, {"H"}, Layout::kRowMajor};
       s.inputs["half"] = {DType::kF16, {"M", std::int64_t{128}}, Layout::kColumnMajor};
       s.epilogue[5] = {.kind = OpKind::kReglu, .id = "gated"};
       s.epilogue.insert(s.epilogue.end() - 1, {{.kind = OpKind::kMul, .operand = "gain"},
                                                {.kind = OpKind::kAdd, .operand = "half"},
                                                {.kind = OpKind::kMul, .operand = "row_scale"},
                                                {.kind = OpKind::kMax, .operand = "gated"}});
     },
     {}},
    {"OperandOfAllColumnsAfterAGate",
     [](KernelSpec& s) {
       s.epilogue[5] = {.kind = OpKind::kSwiglu};
       s.epilogue[6] = {.kind = OpKind::kAdd, .operand = "residual"};
       s.inputs.erase("shift");
     },
     {"epilogue[6].operand: \"residual\" of shape [M, N (256)] is not [], [128], [M] or [M, 128]"}},
    {"OddGate",
     [](KernelSpec& s) {
       s.dims["N"] = {255};
       s.epilogue[5] = {.kind = OpKind::kGegluErf};
     },
     {"epilogue[5]: N (255) columns is not an even number, for \"geglu\""}},
    {"DynamicGate",
     [](KernelSpec& s) {
       s.dims["N"] = {};
       s.epilogue[5] = {.kind = OpKind::kGegluTanh};
     },
     {"epilogue[5]: \"geglu\" of a dynamic N is not implemented; of a literal one it is"}},
    {"TwoGates",
     [](KernelSpec& s) {
       s.epilogue[5] = {.kind = OpKind::kSwiglu};
       s.epilogue.insert(s.epilogue.end() - 1, {.kind = OpKind::kReglu});
     },
     {"epilogue[7]: a second pair of halves is not one for a chain"}},
    {"StrayFieldsOfAGate",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kSwiglu, .value = 1.0, .dtype = DType::kF16}; },
     {"epilogue[5].value: \"value\" is not a field of \"swiglu\"",
      "epilogue[5].dtype: \"dtype\" is not a field of \"swiglu\""}},
    {"ValuesFromBeforeAGate",
     [](KernelSpec& s) {
       s.epilogue[0].id = "scaled";
       s.epilogue[3].id = "sum";
       s.epilogue[5] = {.kind = OpKind::kSwiglu, .input = "sum"};
       s.epilogue.insert(s.epilogue.end() - 1, {{.kind = OpKind::kMul, .operand = "sum"},
                                                {.kind = OpKind::kWhere, .value = 0.0, .condition = "scaled"},
                                                {.kind = OpKind::kRelu, .id = "sum"},
                                                {.kind = OpKind::kNeg, .input = "scaled"}});
     },
     {"epilogue[7].operand: \"sum\", a value of both halves, is not a value of half of the columns",
      "epilogue[8].condition: \"scaled\", a value of both halves, is not a value of half of the columns",
      "epilogue[9].id: \"sum\" is not unique in the chain",
      "epilogue[10].input: \"scaled\", a value of both halves, is not a value of half of the columns"}},
    {"GateInAPrologue",
     [](KernelSpec& s) { s.prologue_a = {{.kind = OpKind::kSwiglu}}; },
     {"prologue.a[0]: \"swiglu\" is not an operation of a prologue"}},
    {"Where",
     [](KernelSpec& s) {
       s.epilogue[0].id = "scaled";
       s.epilogue[5] = {.kind = OpKind::kWhere, .value = 0.0, .condition = "residual"};
       s.epilogue[6] = {.kind = OpKind::kWhere, .operand = "shift", .scale = 2.0, .condition = "scaled"};
     },
     {}},
    {"WhereWithoutArguments",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kWhere}; },
     {"epilogue[5]: missing; expected a value or an operand for \"where\"",
      "epilogue[5].condition: missing; expected an input or the id of an earlier operation"}},
    {"ConditionShape",
     [](KernelSpec& s) { s.epilogue[5] = {.kind = OpKind::kWhere, .value = 0.0, .condition = "x"}; },
     {"epilogue[5].condition: \"x\" of shape [M, K (512)] is not [], [N (256)], [M] or [M, N (256)]"}},
    {"StrayCondition",
     [](KernelSpec& s) { s.epilogue[0].condition = "residual"; },
     {"epilogue[0].condition: \"condition\" is not a field of \"mul\""}},
    {"UnusedValueOfAPrologue",
     [](KernelSpec& s) {
       s.prologue_a = {
           {.kind = OpKind::kRelu, .id = "r"}, {.kind = OpKind::kTanh}, {.kind = OpKind::kNeg, .input = "r"}};
     },
     {"prologue.a[1]: the value of \"tanh\" is not taken by any later operation"}},
    {"IdOfAnotherChain",
     [](KernelSpec& s) {
       s.prologue_a = {{.kind = OpKind::kRelu, .id = "r"}};
       s.prologue_b = {{.kind = OpKind::kNeg, .input = "r"}};
     },
     {"prologue.b[0].input: \"r\" is not the id of an earlier operation"}},
    {"WrongPrologue",
     [](KernelSpec& s) {
       s.prologue_b = {{.kind = OpKind::kAdd, .operand = "row_scale"}, Store("w2", DType::kF16)};
     },
     {"prologue.b[0].operand: \"row_scale\" of shape [M] is not [], [N (256)], [K (512)] or [K (512), N (256)]",
      "prologue.b[1]: \"store\" is not an operation of a prologue"}},
};
INSTANTIATE_TEST_SUITE_P(Chains, ValidateTest, ::testing::ValuesIn(kChainBends), NameOf);

TEST(ValidateTest, TellsAllErrorsAtOnce) {
  KernelSpec spec = SampleSpec();
  spec.version = 7;
  spec.inputs["w"].shape[0] = std::int64_t{9};
  spec.epilogue[1].operand = "resid";
  spec.epilogue[7].output = "x";
  EXPECT_EQ(Validate(spec).size(), 4u);
}

TEST(ValidateTest, MarksOnlyWhatIsMissingInGemmdAsUnimplemented) {
  KernelSpec spec = SampleSpec();
  spec.inputs["bias"].dtype = DType::kF8E4M3;
  ASSERT_EQ(Validate(spec).size(), 1u);
  EXPECT_TRUE(Validate(spec)[0].unimplemented);
  spec.version = 3;
  EXPECT_FALSE(Validate(spec)[0].unimplemented);
}

TEST(ValidateTest, StopsSuggestingAfterManyErrors) {
  KernelSpec spec = SampleSpec();
  spec.epilogue.assign(100, {.kind = OpKind::kAdd, .operand = "resid"});
  const std::vector<Diagnostic> diagnostics = Validate(spec);
  ASSERT_GE(diagnostics.size(), 100u);
  EXPECT_EQ(diagnostics[63].suggestion, "residual");
  EXPECT_EQ(diagnostics[64].suggestion, "");
}

TEST(ValidateTest, RefusesAChainOverTheLimit) {
  KernelSpec spec = SampleSpec();
  spec.inputs = {{"x", spec.inputs["x"]}, {"w", spec.inputs["w"]}};
  spec.epilogue.assign(kMaxChainOperations, {.kind = OpKind::kRelu});
  spec.epilogue.push_back(Store("out", DType::kF16));
  EXPECT_THAT(RenderAll(Validate(spec)), ElementsAre("epilogue: a chain of 4097 operations is not at most 4096 long"));
}

}  // namespace
}  // namespace gemmd
