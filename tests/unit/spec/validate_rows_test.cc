// Reductions and normalisations of rows: what a spec may say of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "sample_spec.h"
#include "spec/broadcast.h"
#include "spec/spec_json.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

// The sample's product, normalised with gamma and beta [N], summed, scaled by row_scale [M] and stored both ways:
// 0: layer_norm, 1: add residual, 2: store out, 3: sum, 4: mul row_scale, 5: store stat.
KernelSpec RowSpec() {
  KernelSpec spec = SampleSpec();
  spec.inputs.erase("shift");
  spec.inputs.erase("bias");
  spec.inputs["gamma"] = spec.inputs["beta"] = {DType::kF32, {"N"}, Layout::kRowMajor};
  spec.epilogue = {{.kind = OpKind::kLayerNorm, .id = "normed", .weight = "gamma", .bias = "beta"},
                   {.kind = OpKind::kAdd, .operand = "residual"},
                   Store("out", DType::kF16),
                   {.kind = OpKind::kRowSum, .id = "total"},
                   {.kind = OpKind::kMul, .operand = "row_scale"},
                   Store("stat", DType::kF32)};
  return spec;
}

struct Bend {
  const char* name;
  std::function<void(KernelSpec&)> apply;
  std::vector<std::string> errors;  // empty: still valid
};

class ValidateRowsTest : public ::testing::TestWithParam<Bend> {};

TEST_P(ValidateRowsTest, ReportsExactly) {
  KernelSpec spec = RowSpec();
  GetParam().apply(spec);
  EXPECT_THAT(RenderAll(Validate(spec)), ElementsAreArray(GetParam().errors));
}

const Bend kBends[] = {
    {"Nothing", [](KernelSpec&) {}, {}},
    {"EveryRowWiseOperation",
     [](KernelSpec& s) {
       for (const OpTraits& row : OpTable()) {
         if (!IsRowWise(row.kind)) continue;
         s.epilogue.push_back({.kind = row.kind, .input = "normed"});
         s.epilogue.push_back(Store(std::string("of_") + std::string(row.functor), DType::kBf16));
       }
     },
     {}},
    {"DynamicColumns",
     [](KernelSpec& s) {
       s.dims["N"] = {};
       s.epilogue[3].kind = OpKind::kRowArgmax;
     },
     {}},
    {"Parameters",
     [](KernelSpec& s) {
       s.epilogue[0].eps = 0.0;
       s.epilogue[3] = {.kind = OpKind::kRowVar, .correction = 0.0};
     },
     {}},
    {"NegativeParameters",
     [](KernelSpec& s) {
       s.epilogue[0].eps = -1e-5;
       s.epilogue[3] = {.kind = OpKind::kRowVar, .correction = -1.0};
     },
     {"epilogue[0].eps: -1e-05 is not at least 0", "epilogue[3].correction: -1 is not at least 0"}},
    {"StrayFields",
     [](KernelSpec& s) {
       s.epilogue[0].correction = 1.0;
       s.epilogue[1].weight = "gamma";
       s.epilogue[3] = {.kind = OpKind::kSoftmax, .value = 1.0, .dtype = DType::kF16, .eps = 1.0};
     },
     {"epilogue[0].correction: \"correction\" is not a field of \"layer_norm\"",
      "epilogue[1].weight: \"weight\" is not a field of \"add\"",
      "epilogue[3].value: \"value\" is not a field of \"softmax\"",
      "epilogue[3].eps: \"eps\" is not a field of \"softmax\"",
      "epilogue[3].dtype: \"dtype\" is not a field of \"softmax\""}},
    {"BiasOfRmsNorm",
     [](KernelSpec& s) { s.epilogue[0].kind = OpKind::kRmsNorm; },
     {"epilogue[0].bias: \"bias\" is not a field of \"rms_norm\"",
      "inputs.beta: \"beta\" is not used by the matmul or any operation"}},
    {"WeightShape",
     [](KernelSpec& s) {
       s.epilogue[0].weight = "row_scale";
       s.epilogue[0].bias = "residual";
       s.epilogue[4] = {.kind = OpKind::kRelu};
       s.inputs.erase("gamma");
       s.inputs.erase("beta");
     },
     {"epilogue[0].weight: \"row_scale\" of shape [M] is not [N (256)]",
      "epilogue[0].bias: \"residual\" of shape [M, N (256)] is not [N (256)]"}},
    {"UnknownWeight",
     [](KernelSpec& s) { s.epilogue[0].weight = "gama"; },
     {"epilogue[0].weight: \"gama\" is not an input; did you mean \"gamma\"?"}},
    {"RowBesideAStatistic",
     [](KernelSpec& s) { s.epilogue[4] = {.kind = OpKind::kMul, .operand = "gamma"}; },
     {"epilogue[4].operand: \"gamma\" of shape [N (256)] is not [] or [M]: the value that \"mul\" takes has one "
      "element a row",
      "inputs.row_scale: \"row_scale\" is not used by the matmul or any operation"}},
    {"MatricesBesideAStatistic",
     [](KernelSpec& s) {
       s.epilogue[4] = {.kind = OpKind::kWhere, .operand = "normed", .condition = "residual"};
       s.inputs.erase("row_scale");
     },
     {"epilogue[4].operand: \"normed\" of shape [M, N (256)] is not [] or [M]: the value that \"where\" takes has one "
      "element a row",
      "epilogue[4].condition: \"residual\" of shape [M, N (256)] is not [] or [M]: the value that \"where\" takes has "
      "one element a row"}},
    {"StatisticsJoined",
     [](KernelSpec& s) {
       s.epilogue[4].id = "scaled";
       s.epilogue.insert(s.epilogue.end() - 1, {{.kind = OpKind::kRowMax, .id = "peak", .input = "normed"},
                                                {.kind = OpKind::kSub, .operand = "scaled", .scale = 0.5},
                                                {.kind = OpKind::kWhere, .value = 0.0, .condition = "total"}});
     },
     {}},
    {"StatisticSpreadOverItsMatrix",
     [](KernelSpec& s) {
       s.epilogue[4].id = "scaled";
       s.epilogue.push_back({.kind = OpKind::kSub, .operand = "scaled", .input = "normed"});
       s.epilogue.push_back({.kind = OpKind::kMul, .operand = "gamma"});
       s.epilogue.push_back(Store("centred", DType::kF16));
     },
     {}},
    {"NormOfANorm", [](KernelSpec& s) { s.epilogue[3] = {.kind = OpKind::kSoftmax}; }, {}},
    {"ReductionOfAStatistic",
     [](KernelSpec& s) { s.epilogue.insert(s.epilogue.begin() + 4, {.kind = OpKind::kSoftmax}); },
     {"epilogue[4]: a value of shape [M] is not a matrix, as \"softmax\" takes"}},
    {"SquareByOneDim",
     [](KernelSpec& s) {
       s.dims = {{"S", {64}}, {"K", {512}}};
       s.inputs["x"].shape[0] = "S";
       s.inputs["w"].shape[1] = "S";
       s.inputs["residual"].shape = {"S", "S"};
       s.inputs["row_scale"].shape = s.inputs["gamma"].shape = s.inputs["beta"].shape = {"S"};
     },
     {}},
    {"RowNamedForColumnsOfOneExtent",
     [](KernelSpec& s) {
       s.dims["M"] = {256};
       s.epilogue[4].operand = "gamma";
       s.inputs.erase("row_scale");
     },
     {"epilogue[4].operand: \"gamma\" of shape [N (256)] is not [] or [M (256)]: the value that \"mul\" takes has one "
      "element a row"}},
    {"BeforeAGate",
     [](KernelSpec& s) { s.epilogue.insert(s.epilogue.begin() + 3, {.kind = OpKind::kSwiglu}); },
     {"epilogue[0]: \"layer_norm\" before \"swiglu\" is not implemented; after it it is"}},
    {"AfterAGate",
     [](KernelSpec& s) {
       s.inputs["gamma"].shape = s.inputs["beta"].shape = {std::int64_t{128}};
       s.inputs["residual"].shape[1] = std::int64_t{128};
       s.epilogue.insert(s.epilogue.begin(), {.kind = OpKind::kReglu});
     },
     {}},
    {"InAPrologue",
     [](KernelSpec& s) {
       s.prologue_a = {{.kind = OpKind::kRowMax}, {.kind = OpKind::kSoftmax}};
     },
     {"prologue.a[0]: \"max\", which goes along rows, is not an operation of a prologue",
      "prologue.a[1]: \"softmax\", which goes along rows, is not an operation of a prologue"}},
    {"IndexAsInteger",
     [](KernelSpec& s) {
       s.epilogue[3].kind = OpKind::kRowArgmax;
       s.epilogue.insert(s.epilogue.begin() + 4, {Store("f", DType::kF32), Store("i", DType::kI32)});
       s.epilogue.push_back({.kind = OpKind::kStore, .output = "j", .dtype = DType::kI32, .input = "total"});
     },
     {}},
    {"OtherValuesAsIntegers",
     [](KernelSpec& s) {
       s.epilogue[2].dtype = DType::kI32;
       s.epilogue[3].kind = OpKind::kRowArgmax;
       s.epilogue[5].dtype = DType::kI32;
     },
     {"epilogue[2].dtype: \"i32\" is not f32, f16 or bf16; only what \"argmax\" makes is stored as i32",
      "epilogue[5].dtype: \"i32\" is not f32, f16 or bf16; only what \"argmax\" makes is stored as i32"}},
    {"CastToInteger",
     [](KernelSpec& s) {
       s.epilogue[3].kind = OpKind::kRowArgmax;
       s.epilogue[4] = {.kind = OpKind::kCast, .dtype = DType::kI32};
       s.inputs.erase("row_scale");
     },
     {"epilogue[4].dtype: \"i32\" is not implemented; f32, f16 and bf16 are"}},
    {"EmptyRows",
     [](KernelSpec& s) {
       s.dims["N"] = {0};
       s.epilogue[3].kind = OpKind::kRowMin;
     },
     {"epilogue[3]: \"min\" of an empty row is not defined"}},
    {"EmptyRowsThatHaveASum", [](KernelSpec& s) { s.dims["N"] = {0}; }, {}},
    {"MoreColumnsThanF32Counts",
     [](KernelSpec& s) {
       s.dims["N"] = {(std::int64_t{1} << 24) + 1};
       s.epilogue[3].kind = OpKind::kRowArgmax;
     },
     {"epilogue[3]: \"argmax\" of 16777217 columns is not of at most 16777216, which f32 counts"}},
};
INSTANTIATE_TEST_SUITE_P(Rows, ValidateRowsTest, ::testing::ValuesIn(kBends),
                         [](const auto& bend) { return std::string(bend.param.name); });

TEST(ValidateRowsTest, WhatIsBeforeAGateIsMissingInGemmdAlone) {
  KernelSpec spec = RowSpec();
  spec.epilogue.insert(spec.epilogue.begin() + 3, {.kind = OpKind::kSwiglu});
  ASSERT_EQ(Validate(spec).size(), 1u);
  EXPECT_TRUE(Validate(spec)[0].unimplemented);
}

TEST(ResolveShapeTest, RefusesRowsThatAnOperationDoesNotTake) {
  KernelSpec spec = RowSpec();
  spec.dims["N"] = {};
  EXPECT_TRUE(ResolveShape(spec, {{"M", 3}, {"N", 0}}).ok());
  spec.epilogue[3].kind = OpKind::kRowMax;
  const auto shape = ResolveShape(spec, {{"M", 3}, {"N", 0}});
  EXPECT_EQ(shape.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(shape.status().message()), "epilogue[3]: \"max\" of an empty row is not defined");
  EXPECT_TRUE(ResolveShape(spec, {{"M", 3}, {"N", 1}}).ok());
}

TEST(ResolveOutputsTest, HaveOneElementARowAfterAReduction) {
  KernelSpec spec = RowSpec();
  spec.epilogue.push_back({.kind = OpKind::kRelu, .input = "normed"});
  spec.epilogue.push_back(Store("back", DType::kBf16));
  const std::vector<OutputTensor> outputs = ResolveOutputs(spec, {7, 256, 512});
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_THAT(outputs[0].shape, ElementsAre(7, 256));
  EXPECT_THAT(outputs[1].shape, ElementsAre(7));
  EXPECT_THAT(outputs[2].shape, ElementsAre(7, 256));
}

TEST(BroadcastOverRowsTest, TakesScalarsAndVectorsOfTheRows) {
  KernelSpec spec = SampleSpec();
  const auto over_rows = [&](std::vector<ShapeEntry> shape) {
    const auto product = ProductOf(spec);
    return BroadcastOverRows(spec, {DType::kF32, std::move(shape), Layout::kRowMajor}, product->m, product->n);
  };
  EXPECT_EQ(over_rows({}), Broadcast::kScalar);
  EXPECT_EQ(over_rows({"M"}), Broadcast::kColumn);
  EXPECT_EQ(over_rows({"N"}), std::nullopt);
  EXPECT_EQ(over_rows({"M", "N"}), std::nullopt);
  spec.dims["M"] = {256};
  EXPECT_EQ(over_rows({std::int64_t{256}}), Broadcast::kColumn) << "not told by name: the rows come first";
  EXPECT_EQ(over_rows({"N"}), std::nullopt) << "told by name";
}

constexpr const char* kText = R"({"version": 1, "dims": {"M": "dynamic", "N": 64},
  "inputs": {"x": {"dtype": "f32", "shape": ["M", 32]}, "w": {"dtype": "f32", "shape": [32, "N"]},
             "g": {"dtype": "f32", "shape": ["N"]}, "s": {"dtype": "f32", "shape": ["M"]}},
  "matmul": {"a": "x", "b": "w"},
  "epilogue": [{"op": "max", "value": 0}, {"op": "layer_norm", "weight": "g", "bias": "g", "eps": 1e-3, "id": "n"},
               {"op": "max"}, {"op": "min", "operand": "s"}, {"op": "store", "output": "peak", "dtype": "f32"},
               {"op": "var", "correction": 0, "input": "n"}, {"op": "store", "output": "var", "dtype": "f16"},
               {"op": "argmax", "input": "n"}, {"op": "store", "output": "at", "dtype": "i32"}]})";

TEST(ReadSpecJsonTest, ReadsRowReductions) {
  const auto spec = ParseValidSpec(kText);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(
      spec->epilogue,
      ElementsAre(Operation{.kind = OpKind::kMax, .value = 0.0},
                  Operation{.kind = OpKind::kLayerNorm, .id = "n", .eps = 1e-3, .weight = "g", .bias = "g"},
                  Operation{.kind = OpKind::kRowMax}, Operation{.kind = OpKind::kMin, .operand = "s"},
                  Store("peak", DType::kF32), Operation{.kind = OpKind::kRowVar, .input = "n", .correction = 0.0},
                  Store("var", DType::kF16), Operation{.kind = OpKind::kRowArgmax, .input = "n"},
                  Store("at", DType::kI32)));
}

TEST(WriteSpecJsonTest, WritesRowReductionsAsTheyAreRead) {
  for (const KernelSpec& spec : {RowSpec(), ReadSpecJson(kText).spec}) {
    const ParsedSpec parsed = ReadSpecJson(WriteSpecJson(spec));
    EXPECT_THAT(RenderAll(parsed.diagnostics), IsEmpty());
    EXPECT_EQ(parsed.spec, spec);
  }
}

}  // namespace
}  // namespace gemmd
