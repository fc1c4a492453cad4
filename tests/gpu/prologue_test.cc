// Chains on A and B in every family, with every kind of operand, on every layout, aligned and ragged, against fp64.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/engine.h"
#include "tests/gpu/device_run.h"
#include "tests/gpu/gpu_fixture.h"

namespace gemmd {
namespace {

// A spec's chains, and the inputs that they take beside x and w.
struct Chains {
  std::string inputs, a, b;
  std::string epilogue = R"({"op": "relu"})";
};

// A scalar, a row, a column and matrices of both layouts; `along_k` is a row of A and a column of B, the vectors of M
// and N serve the epilogue too.
Chains EveryOperand() {
  return {.inputs = R"(, "along_k": {"dtype": "f32", "shape": ["K"]}, "along_m": {"dtype": "f16", "shape": ["M"]},
      "along_n": {"dtype": "T", "shape": ["N"]}, "scalar": {"dtype": "f32", "shape": []},
      "of_a": {"dtype": "T", "shape": ["M", "K"]},
      "of_b": {"dtype": "bf16", "shape": ["K", "N"], "layout": "column_major"})",
          .a = R"({"op": "mul", "operand": "along_k"}, {"op": "sub", "operand": "along_m", "scale": 0.5},
      {"op": "add", "operand": "of_a"}, {"op": "mul", "operand": "scalar"}, {"op": "silu"})",
          .b = R"({"op": "add", "operand": "along_n", "scale": 0.125}, {"op": "mul", "operand": "along_k"},
      {"op": "add", "operand": "of_b", "scale": 0.125})",
          .epilogue = R"({"op": "add", "operand": "along_n"}, {"op": "mul", "operand": "along_m"})"};
}

Chains OnA() { return {.inputs = "", .a = R"({"op": "mul", "value": 1.5}, {"op": "gelu"})", .b = ""}; }

Chains OnB() { return {.inputs = "", .a = "", .b = R"({"op": "cast", "dtype": "bf16"}, {"op": "tanh"})"}; }

// Values that are joined, compared and selected by.
Chains Graphs() {
  return {.inputs = R"(, "along_k": {"dtype": "f16", "shape": ["K"]})",
          .a = R"({"op": "mul", "value": 2, "id": "wide"}, {"op": "tanh", "id": "bent"},
      {"op": "gt", "operand": "along_k", "id": "large"},
      {"op": "where", "input": "bent", "condition": "large", "operand": "wide"})",
          .b = R"({"op": "mul", "value": 1, "id": "given"}, {"op": "abs"}, {"op": "mul", "operand": "given"})"};
}

// The image of 0 is minus infinity for A and infinity for B: one element of padding that is multiplied makes a NaN.
Chains InfiniteAtZero() {
  return {.inputs = "", .a = R"({"op": "abs"}, {"op": "log"})", .b = R"({"op": "abs"}, {"op": "rsqrt"})"};
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

KernelSpec MakeSpec(const Case& c, const GemmShape& shape, const Chains& chains) {
  const auto layout = [](bool column_major) { return column_major ? "column_major" : "row_major"; };
  const std::string text = fmt::format(
      R"({{"version": 1, "name": "test", "dims": {{"M": {}, "N": {}, "K": {}}},
      "inputs": {{"x": {{"dtype": "T", "shape": ["M", "K"], "layout": "{}"}},
                  "w": {{"dtype": "T", "shape": ["K", "N"], "layout": "{}"}}{}}},
      "matmul": {{"a": "x", "b": "w"}}, "prologue": {{"a": [{}], "b": [{}]}},
      "config": {{"schedule": "{}", "tile": [{}, {}, {}]}},
      "epilogue": [{}, {{"op": "store", "output": "out", "dtype": "f32"}}]}})",
      shape.m, shape.n, shape.k, layout(c.a_column_major), layout(c.b_column_major), chains.inputs, chains.a, chains.b,
      c.schedule, c.tile[0], c.tile[1], c.tile[2], chains.epilogue);
  KernelSpec spec = SpecFromText(Replace(text, "\"T\"", "\"" + c.dtype + "\""));
  spec.precision = c.precision;
  return spec;
}

class PrologueTest : public GpuTest, public testing::WithParamInterface<Case> {
 protected:
  void Check(const GemmShape& shape, const Chains& chains) {
    const KernelSpec spec = MakeSpec(GetParam(), shape, chains);
    if (const Arch& arch = device_->info().limits.arch; GetParam().schedule == "wgmma" && arch != Arch{9, 0, true}) {
      GTEST_SKIP() << "skipped: wgmma is not for " << Name(arch);
    }
    Engine engine(compiler_.get(), cubins_.get(), std::int64_t{1} << 30);
    const absl::StatusOr<CompileOutcome> compiled =
        engine.Compile(spec, device_->info().limits, Assumptions{}, std::nullopt, absl::InfiniteFuture());
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

const GemmShape kAligned{256, 192, 128}, kTails{200, 328, 72}, kRagged{131, 77, 93}, kOne{1, 1, 1},
    kOneStep{33, 257, 1};

TEST_P(PrologueTest, ReachesEveryOperandOnAlignedShapes) { Check(kAligned, EveryOperand()); }

TEST_P(PrologueTest, ReachesEveryOperandOnTails) { Check(kTails, EveryOperand()); }

TEST_P(PrologueTest, ReachesEveryOperandOnRaggedShapes) {
  for (const GemmShape& shape : {kRagged, kOne, kOneStep}) Check(shape, EveryOperand());
}

TEST_P(PrologueTest, LeavesTheOtherFactorAlone) {
  for (const GemmShape& shape : {kTails, kRagged}) {
    Check(shape, OnA());
    Check(shape, OnB());
  }
}

TEST_P(PrologueTest, ComputesGraphs) {
  for (const GemmShape& shape : {kTails, kRagged}) Check(shape, Graphs());
}

TEST_P(PrologueTest, NeverMultipliesPaddingOfTails) { Check(kTails, InfiniteAtZero()); }

TEST_P(PrologueTest, NeverMultipliesPaddingOfRaggedShapes) {
  for (const GemmShape& shape : {kRagged, kOne, kOneStep}) Check(shape, InfiniteAtZero());
}

TEST_P(PrologueTest, HasNothingToDoWhereKIsZero) { Check({40, 56, 0}, EveryOperand()); }

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const bool a : {false, true}) {
    for (const bool b : {false, true}) {
      for (const char* dtype : {"f32", "f16", "bf16"}) {
        cases.push_back({"simt", {64, 64, 16}, dtype, a, b});
        cases.push_back({"simt", {128, 128, 8}, dtype, a, b});
      }
      for (const char* dtype : {"f16", "bf16"}) {
        cases.push_back({"mma", {64, 64, 32}, dtype, a, b});
        cases.push_back({"mma", {128, 128, 64}, dtype, a, b});
        cases.push_back({"wgmma", {128, 128, 64}, dtype, a, b});
        cases.push_back({"wgmma", {128, 256, 64}, dtype, a, b});
      }
      cases.push_back({"wgmma", {128, 128, 32}, "f32", a, b, Precision::kTf32});
      cases.push_back({"wgmma", {128, 128, 32}, "f32", a, b, Precision::kTf32x3});
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

INSTANTIATE_TEST_SUITE_P(Families, PrologueTest, testing::ValuesIn(Cases()), CaseName);

// Needs no GPU: the specs are valid, and their pins legal.
class PrologueSpecTest : public testing::TestWithParam<Case> {};

TEST_P(PrologueSpecTest, IsPlanned) {
  for (const Chains& chains : {EveryOperand(), OnA(), OnB(), Graphs(), InfiniteAtZero()}) {
    for (const GemmShape& shape : {kAligned, kTails, kRagged, kOne, kOneStep, GemmShape{40, 56, 0}}) {
      const KernelSpec spec = MakeSpec(GetParam(), shape, chains);
      const auto configs = RankConfigs(Canonicalize(spec).graph, *LimitsOf(Arch{9, 0, true}), spec.config);
      EXPECT_TRUE(configs.ok()) << configs.status();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, PrologueSpecTest, testing::ValuesIn(Cases()), CaseName);

}  // namespace
}  // namespace gemmd
