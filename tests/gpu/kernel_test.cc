// Every family, on every dtype and layout, aligned and ragged, against fp64.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "tests/gpu/device_run.h"
#include "tests/gpu/gpu_fixture.h"

namespace gemmd {
namespace {

// A chain that reaches every kind of operand and stores twice.
constexpr char kOperandChain[] = R"([
  {"op": "mul", "value": 1.25}, {"op": "add", "operand": "full", "scale": 0.5}, {"op": "add", "operand": "row"},
  {"op": "sub", "operand": "column"}, {"op": "mul", "operand": "scalar"}, {"op": "add", "operand": "turned"},
  {"op": "store", "output": "aux", "dtype": "f32"}, {"op": "gelu"}, {"op": "store", "output": "out", "dtype": "T"}])";

// Every unary operation, each on the last value's image.
constexpr char kUnaryChain[] = R"([
  {"op": "mul", "value": 3}, {"op": "tanh"}, {"op": "mul", "value": 4}, {"op": "silu"}, {"op": "gelu", "form": "tanh"},
  {"op": "sub", "value": 1}, {"op": "sigmoid"}, {"op": "cast", "dtype": "bf16"}, {"op": "sub", "value": 0.5},
  {"op": "relu"}, {"op": "store", "output": "out", "dtype": "T"}])";

// A chain that starts with `base` and then applies each operation to its value, storing every result.
std::string Branches(const std::string& base, const std::vector<std::string>& operations) {
  std::string chain = "[" + base;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    chain += fmt::format(R"(, {{{}, "input": "base"}}, {{"op": "store", "output": "out{}", "dtype": "T"}})",
                         operations[i], i);
  }
  return chain + "]";
}

struct Chain {
  std::string text;
  bool operands;  // all five of kOperandChain, else none
};

// With kUnaryChain and kOperandChain, every operation is in one of them, on arguments of order 1.
std::vector<Chain> OperationChains() {
  const std::string within_three = R"({"op": "mul", "value": 3}, {"op": "softcap", "value": 3.5, "id": "base"})";
  const std::string positive = R"({"op": "mul", "value": 2}, {"op": "sigmoid", "id": "base"})";
  const std::string as_it_is = R"({"op": "mul", "value": 1.5, "id": "base"})";
  return {
      {Branches(within_three,
                {R"("op": "leaky_relu", "value": 0.2)", R"("op": "elu", "alpha": 1.5)", R"("op": "quick_gelu")",
                 R"("op": "hardswish")", R"("op": "relu2")", R"("op": "clamp", "min": -0.5, "max": 1.25)"}),
       false},
      {Branches(within_three, {R"("op": "softplus")", R"("op": "erf")", R"("op": "exp")", R"("op": "abs")",
                               R"("op": "neg")", R"("op": "square")", R"("op": "clamp", "max": 1)"}),
       false},
      {Branches(positive, {R"("op": "log")", R"("op": "sqrt")", R"("op": "rsqrt")", R"("op": "div", "value": 3)",
                           R"("op": "max", "value": 0.5)", R"("op": "min", "value": 0.5)"}),
       false},
      {Branches(as_it_is, {R"("op": "drelu", "operand": "full")", R"("op": "dgelu", "operand": "row", "scale": 3)",
                           R"("op": "dgelu", "form": "tanh", "operand": "column", "scale": 3)",
                           R"("op": "dsilu", "operand": "turned", "scale": 3)", R"("op": "div", "operand": "scalar")",
                           R"("op": "max", "operand": "full")", R"("op": "min", "operand": "row")"}),
       true},
      {Branches(as_it_is, {R"("op": "gt", "value": 0.25)", R"("op": "ge", "operand": "full")",
                           R"("op": "lt", "operand": "row")", R"("op": "le", "operand": "column", "scale": 0.5)",
                           R"("op": "ne", "operand": "turned")", R"("op": "eq", "operand": "scalar")"}),
       true},
      {Branches(R"({"op": "mul", "value": 3, "id": "wide"}, {"op": "gt", "operand": "row", "id": "large"},
                   {"op": "tanh", "input": "wide", "id": "base"})",
                {R"("op": "mul", "operand": "wide", "scale": 0.5)",
                 R"("op": "where", "condition": "large", "operand": "full")",
                 R"("op": "where", "condition": "large", "value": -2)",
                 R"("op": "where", "condition": "full", "operand": "wide")",
                 R"("op": "where", "condition": "turned", "operand": "scalar", "scale": 2)",
                 R"("op": "where", "condition": "scalar", "operand": "column")"}),
       true}};
}

struct Case {
  std::string schedule;
  std::vector<int> tile;
  std::string dtype;
  bool a_column_major, b_column_major;
  Precision precision = Precision::kDefault;
};

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// "T" stands for the case's dtype.
KernelSpec ReadSpec(const Case& c, const std::string& text) {
  KernelSpec spec = SpecFromText(Replace(text, "\"T\"", "\"" + c.dtype + "\""));
  spec.precision = c.precision;
  return spec;
}

KernelSpec MakeSpec(const Case& c, const GemmShape& shape, const Chain& chain) {
  const auto layout = [](bool column_major) { return column_major ? "column_major" : "row_major"; };
  const std::string operand_inputs = R"(,
      "full": {"dtype": "T", "shape": ["M", "N"]}, "row": {"dtype": "T", "shape": ["N"]},
      "column": {"dtype": "f32", "shape": ["M"]}, "scalar": {"dtype": "f32", "shape": []},
      "turned": {"dtype": "T", "shape": ["M", "N"], "layout": "column_major"})";
  const std::string text = fmt::format(
      R"({{"version": 1, "name": "test", "dims": {{"M": {}, "N": {}, "K": {}}},
      "inputs": {{"x": {{"dtype": "T", "shape": ["M", "K"], "layout": "{}"}},
                  "w": {{"dtype": "T", "shape": ["K", "N"], "layout": "{}"}}{}}},
      "matmul": {{"a": "x", "b": "w"}}, "config": {{"schedule": "{}", "tile": [{}, {}, {}]}}, "epilogue": {}}})",
      shape.m, shape.n, shape.k, layout(c.a_column_major), layout(c.b_column_major),
      chain.operands ? operand_inputs : "", c.schedule, c.tile[0], c.tile[1], c.tile[2], chain.text);
  return ReadSpec(c, text);
}

class KernelTest : public GpuTest, public testing::WithParamInterface<Case> {
 protected:
  void Check(const GemmShape& shape, const Chain& chain = {kOperandChain, true}) {
    CheckSpec(MakeSpec(GetParam(), shape, chain), shape);
  }

  // wgmma is refused where the copy engine can't start at the second half of row-major B, which is not on 16 bytes; of
  // f32 it is packed, along K.
  static bool HasAHalfOutOfReach(const KernelSpec& spec, const GemmShape& shape) {
    const bool gated = std::ranges::any_of(
        spec.epilogue, [](const Operation& operation) { return Traits(operation.kind).op_class == OpClass::kGate; });
    return GetParam().schedule == "wgmma" && GetParam().dtype != "f32" && gated && !GetParam().b_column_major &&
           shape.n / 2 % 8 != 0;
  }

  void CheckSpec(const KernelSpec& spec, const GemmShape& shape) {
    Engine engine(compiler_.get(), cubins_.get(), std::int64_t{1} << 30);
    const absl::StatusOr<CompileOutcome> compiled =
        engine.Compile(spec, device_->info().limits, Assumptions{}, std::nullopt, absl::InfiniteFuture());
    if (HasAHalfOutOfReach(spec, shape)) {
      EXPECT_TRUE(absl::IsInvalidArgument(compiled.status())) << compiled.status();
      return;
    }
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    ASSERT_EQ(Name(compiled->compiled->planned.plan.kernels.back().config.family), GetParam().schedule);
    const absl::StatusOr<DeviceRunOutcome> outcome =
        RunOnDevice(*device_, *compiled->compiled, spec, compiled->canonical, {}, {});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    const ElementCheck& worst = outcome->report.worst;
    EXPECT_TRUE(outcome->report.verified)
        << shape.m << " x " << shape.n << " x " << shape.k << ": " << outcome->report.mismatches << " wrong, worst "
        << worst.output << "[" << worst.row << ", " << worst.column << "] is " << worst.got << ", not "
        << worst.expected << " +- " << worst.tolerance;
    EXPECT_EQ(outcome->damage, "");
  }
};

TEST_P(KernelTest, ComputesAlignedShapes) {
  for (const Chain& chain : {Chain{kOperandChain, true}, Chain{kUnaryChain, false}}) Check({256, 192, 128}, chain);
}

TEST_P(KernelTest, ComputesAlignedShapesWithTails) {
  for (const GemmShape& shape : {GemmShape{200, 328, 72}, GemmShape{8, 8, 8}, GemmShape{1000, 40, 264}}) {
    Check(shape);
  }
}

TEST_P(KernelTest, ComputesRaggedShapes) {
  for (const GemmShape& shape : {GemmShape{1, 1, 1}, GemmShape{131, 77, 93}, GemmShape{33, 257, 65}}) {
    Check(shape);
  }
}

TEST_P(KernelTest, ComputesTheChainOfZerosWhereKIsZero) { Check({40, 56, 0}); }

TEST_P(KernelTest, LeavesAnEmptyResultAlone) { Check({0, 56, 16}); }

// A chain does not depend on the layouts of A and B.
class OperationTest : public KernelTest {};

TEST_P(OperationTest, Computes) {
  for (const Chain& chain : OperationChains()) Check({256, 192, 128}, chain);
}

TEST_P(OperationTest, ComputesTails) {
  for (const Chain& chain : OperationChains()) Check({40, 328, 72}, chain);
}

// A gate over halves of N, with operands and stores on both sides of it.
KernelSpec MakeGatedSpec(const Case& c, const GemmShape& shape, const std::string& gate) {
  const auto layout = [](bool column_major) { return column_major ? "column_major" : "row_major"; };
  const std::string text = fmt::format(
      R"({{"version": 1, "name": "test", "dims": {{"M": {}, "N": {}, "K": {}, "H": {}}},
      "inputs": {{"x": {{"dtype": "T", "shape": ["M", "K"], "layout": "{}"}},
                  "w": {{"dtype": "T", "shape": ["K", "N"], "layout": "{}"}},
                  "bias": {{"dtype": "T", "shape": ["N"]}}, "wide": {{"dtype": "T", "shape": ["M", "N"]}},
                  "column": {{"dtype": "f32", "shape": ["M"]}}, "gain": {{"dtype": "f32", "shape": ["H"]}},
                  "half": {{"dtype": "T", "shape": ["M", "H"]}},
                  "turned": {{"dtype": "T", "shape": ["M", "H"], "layout": "column_major"}}}},
      "matmul": {{"a": "x", "b": "w"}}, "config": {{"schedule": "{}", "tile": [{}, {}, {}]}},
      "epilogue": [
        {{"op": "add", "operand": "bias"}}, {{"op": "add", "operand": "wide"}},
        {{"op": "mul", "operand": "column", "id": "both"}}, {{"op": "store", "output": "both", "dtype": "f32"}},
        {{{}, "input": "both", "id": "gated"}}, {{"op": "mul", "operand": "gain"}},
        {{"op": "add", "operand": "half", "scale": 0.5}}, {{"op": "sub", "operand": "turned"}},
        {{"op": "store", "output": "aux", "dtype": "f32"}}, {{"op": "mul", "operand": "gated"}},
        {{"op": "store", "output": "out", "dtype": "T"}}]}})",
      shape.m, shape.n, shape.k, shape.n / 2, layout(c.a_column_major), layout(c.b_column_major), c.schedule, c.tile[0],
      c.tile[1], c.tile[2], gate);
  return ReadSpec(c, text);
}

// A gate with little else, which wgmma computes on accumulators where they are.
KernelSpec MakeShortGatedSpec(const Case& c, const GemmShape& shape, const std::string& stored) {
  const auto layout = [](bool column_major) { return column_major ? "column_major" : "row_major"; };
  const bool residual = stored.empty();
  const std::string text = fmt::format(
      R"({{"version": 1, "name": "test", "dims": {{"M": {}, "N": {}, "K": {}}},
      "inputs": {{"x": {{"dtype": "T", "shape": ["M", "K"], "layout": "{}"}},
                  "w": {{"dtype": "T", "shape": ["K", "N"], "layout": "{}"}},
                  {}}},
      "matmul": {{"a": "x", "b": "w"}}, "config": {{"schedule": "{}", "tile": [{}, {}, {}]}},
      "epilogue": [{}, {{"op": "store", "output": "out", "dtype": "T"}}]}})",
      shape.m, shape.n, shape.k, layout(c.a_column_major), layout(c.b_column_major),
      residual ? fmt::format(R"("residual": {{"dtype": "T", "shape": ["M", {}]}})", shape.n / 2)
               : R"("bias": {"dtype": "T", "shape": ["N"]})",
      c.schedule, c.tile[0], c.tile[1], c.tile[2],
      residual ? R"({"op": "swiglu"}, {"op": "add", "operand": "residual"})"
               : fmt::format(R"({{"op": "add", "operand": "bias"}},
                                {{"op": "store", "output": "both", "dtype": "{}"}}, {{"op": "reglu"}})",
                             stored));
  return ReadSpec(c, text);
}

// A tile has columns of both halves, however B lies in memory.
class GateTest : public KernelTest {};

TEST_P(GateTest, ComputesEveryGate) {
  for (const char* gate :
       {R"("op": "swiglu")", R"("op": "geglu")", R"("op": "geglu", "form": "tanh")", R"("op": "reglu")"}) {
    const GemmShape shape{256, 384, 128};
    CheckSpec(MakeGatedSpec(GetParam(), shape, gate), shape);
  }
}

TEST_P(GateTest, ComputesShortChains) {
  for (const GemmShape& shape : {GemmShape{256, 384, 128}, GemmShape{200, 2 * 328, 72}, GemmShape{8, 16, 8},
                                 GemmShape{65, 2 * 36, 40}, GemmShape{40, 2 * 28, 0}, GemmShape{0, 16, 8}}) {
    // A residual after the gate, or both halves stored before it.
    for (const char* stored : {"", "f32", "f16"}) CheckSpec(MakeShortGatedSpec(GetParam(), shape, stored), shape);
  }
}

TEST_P(GateTest, ComputesHalvesThatEndWithinATile) {
  for (const GemmShape& shape : {GemmShape{200, 2 * 328, 72}, GemmShape{8, 16, 8}, GemmShape{40, 2 * 24, 264}}) {
    CheckSpec(MakeGatedSpec(GetParam(), shape, R"("op": "swiglu")"), shape);
  }
}

TEST_P(GateTest, ComputesRaggedHalves) {
  for (const GemmShape& shape :
       {GemmShape{1, 2, 1}, GemmShape{131, 2 * 77, 93}, GemmShape{33, 2 * 257, 65}, GemmShape{65, 2 * 36, 40}}) {
    CheckSpec(MakeGatedSpec(GetParam(), shape, R"("op": "swiglu")"), shape);
  }
}

TEST_P(GateTest, ComputesTheGateOfZerosWhereKIsZero) {
  const GemmShape shape{40, 56, 0};
  CheckSpec(MakeGatedSpec(GetParam(), shape, R"("op": "swiglu")"), shape);
}

// `large`: the larger mma tile, and wgmma's; long chains leave no registers for 128x256.
std::vector<Case> Cases(const std::vector<bool>& layouts, const std::vector<int>& large) {
  std::vector<Case> cases;
  for (const bool a : layouts) {
    for (const bool b : layouts) {
      for (const char* dtype : {"f32", "f16", "bf16"}) {
        cases.push_back({"simt", {64, 64, 16}, dtype, a, b});
        cases.push_back({"simt", {128, 128, 8}, dtype, a, b});
      }
      for (const char* dtype : {"f16", "bf16"}) {
        cases.push_back({"mma", {64, 64, 32}, dtype, a, b});
        cases.push_back({"mma", large, dtype, a, b});
        cases.push_back({"wgmma", {128, 128, 64}, dtype, a, b});
        if (large[1] == 256) cases.push_back({"wgmma", {128, 256, 64}, dtype, a, b});
      }
      cases.push_back({"wgmma", {128, 128, 32}, "f32", a, b, Precision::kTf32});
      cases.push_back({"wgmma", {128, 128, 32}, "f32", a, b, Precision::kTf32x3});
      if (large[1] == 256) cases.push_back({"wgmma", {128, 256, 32}, "f32", a, b, Precision::kTf32});
    }
  }
  return cases;
}

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  const std::string_view type = c.precision == Precision::kDefault ? std::string_view(c.dtype) : Name(c.precision);
  return fmt::format("{}_{}x{}x{}_{}_{}{}", c.schedule, c.tile[0], c.tile[1], c.tile[2], type,
                     c.a_column_major ? "t" : "n", c.b_column_major ? "t" : "n");
}

constexpr char kInfinities[] = R"({"version": 1, "name": "infinities",
  "inputs": {"x": {"dtype": "f32", "shape": [40, 8]}, "w": {"dtype": "f32", "shape": [8, 24]}},
  "matmul": {"a": "x", "b": "w"},
  "epilogue": [
    {"op": "mul", "value": 1e30}, {"op": "mul", "value": 1e30, "id": "infinity"},
    {"op": "gelu"}, {"op": "store", "output": "gelu_erf", "dtype": "f32"},
    {"op": "gelu", "form": "tanh", "input": "infinity"}, {"op": "store", "output": "gelu_tanh", "dtype": "f32"},
    {"op": "silu", "input": "infinity"}, {"op": "store", "output": "silu", "dtype": "f32"}]})";

class InfinityTest : public GpuTest {};

TEST_F(InfinityTest, ActivationsTakeInfinitiesAsTheirFormulasDo) {
  const KernelSpec spec = SpecFromText(kInfinities);
  Engine engine(compiler_.get(), cubins_.get(), std::int64_t{1} << 30);
  const absl::StatusOr<CompileOutcome> compiled =
      engine.Compile(spec, device_->info().limits, Assumptions{}, std::nullopt, absl::InfiniteFuture());
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const absl::StatusOr<DeviceRunOutcome> outcome =
      RunOnDevice(*device_, *compiled->compiled, spec, compiled->canonical, {}, {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->report.verified) << outcome->report.mismatches << " wrong, worst in "
                                        << outcome->report.worst.output;
}

class PrecisionTest : public GpuTest {
 protected:
  // The largest error of [256, k] * [k, 384] in f32.
  double LargestError(std::int64_t k, Precision precision) {
    const std::string text = fmt::format(
        R"({{"version": 1, "name": "precision",
        "inputs": {{"x": {{"dtype": "f32", "shape": [256, {}]}}, "w": {{"dtype": "f32", "shape": [{}, 384]}}}},
        "matmul": {{"a": "x", "b": "w"}}, "precision": "{}", "config": {{"schedule": "{}", "split_k": 1}},
        "epilogue": [{{"op": "store", "output": "out", "dtype": "f32"}}]}})",
        k, k, Name(precision), precision == Precision::kIeee ? "simt" : "wgmma");
    const KernelSpec spec = SpecFromText(text);
    Engine engine(compiler_.get(), cubins_.get(), std::int64_t{1} << 30);
    const absl::StatusOr<CompileOutcome> compiled =
        engine.Compile(spec, device_->info().limits, Assumptions{}, std::nullopt, absl::InfiniteFuture());
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    if (!compiled.ok()) return NAN;
    const absl::StatusOr<DeviceRunOutcome> outcome =
        RunOnDevice(*device_, *compiled->compiled, spec, compiled->canonical, {}, {});
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    if (!outcome.ok()) return NAN;
    EXPECT_TRUE(outcome->report.verified);
    return outcome->report.max_abs_error;
  }
};

TEST_F(PrecisionTest, ThreeProductsErrAtMostTwiceAsMuchAsIeee) {
  EXPECT_LE(LargestError(2048, Precision::kTf32x3), 2 * LargestError(2048, Precision::kIeee));
}

TEST_F(PrecisionTest, ThreeProductsOfALongKErrAtMostThreeTimesAsMuchAsIeee) {
  EXPECT_LE(LargestError(8192, Precision::kTf32x3), 3 * LargestError(8192, Precision::kIeee));
}

// Beside the usual ones, wgmma's other tiles; row-major B comes in boxes of 64 columns of either half.
std::vector<Case> GateCases() {
  std::vector<Case> cases = Cases({false, true}, {128, 128, 64});
  for (const bool a : {false, true}) {
    for (const bool b : {false, true}) {
      cases.push_back({"wgmma", {128, 256, 64}, "bf16", a, b});
      if (b) cases.push_back({"wgmma", {128, 192, 64}, "f16", a, b});
      if (b) cases.push_back({"wgmma", {64, 64, 64}, "bf16", a, b});
      cases.push_back({"wgmma", {128, 192, 32}, "f32", a, b, Precision::kTf32});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Families, KernelTest, testing::ValuesIn(Cases({false, true}, {128, 256, 64})), CaseName);
INSTANTIATE_TEST_SUITE_P(Families, GateTest, testing::ValuesIn(GateCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Families, OperationTest, testing::ValuesIn(Cases({false}, {128, 128, 64})), CaseName);

}  // namespace
}  // namespace gemmd
