// Row reductions in every family and schedule, alone and in chains, aligned and ragged, against fp64.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/engine.h"
#include "tests/gpu/device_run.h"
#include "tests/gpu/gpu_fixture.h"

namespace gemmd {
namespace {

struct Case {
  std::string schedule;
  std::vector<int> tile;
  std::string dtype;
  Precision precision = Precision::kDefault;
};

const char* const kOperations[] = {"rms_norm", "layer_norm", "softmax", "log_softmax", "l2_normalize", "logsumexp",
                                   "sum",      "mean",       "var",     "max",         "min",          "argmax"};

std::string Alone(const std::string& operation) {
  const std::string dtype = operation == "argmax" ? "i32" : "T";
  return fmt::format(R"({{"op": "{}"}}, {{"op": "store", "output": "out", "dtype": "{}"}})", operation, dtype);
}

// Work before and after, every kind of operand, the value before stored beside.
const char kBetweenChains[] = R"({"op": "add", "operand": "row"}, {"op": "add", "operand": "full", "scale": 0.5},
    {"op": "gelu"}, {"op": "store", "output": "aux", "dtype": "T"}, {"op": "layer_norm", "weight": "gain", "bias": "row"},
    {"op": "mul", "operand": "column"}, {"op": "silu"}, {"op": "store", "output": "out", "dtype": "T"})";

const char kOneAfterTheOther[] =
    R"({"op": "rms_norm", "weight": "gain"}, {"op": "store", "output": "out", "dtype": "T"},
    {"op": "sum"}, {"op": "mul", "value": 0.5}, {"op": "sub", "operand": "column"},
    {"op": "store", "output": "sums", "dtype": "f32"})";

// A softmax by its parts, and what it is made of.
const char kByItsParts[] = R"({"op": "mul", "value": 0.5, "id": "given"}, {"op": "max", "id": "largest"},
    {"op": "store", "output": "largest", "dtype": "f32"},
    {"op": "sub", "input": "given", "operand": "largest"}, {"op": "exp", "id": "powers"}, {"op": "sum", "id": "sum"},
    {"op": "div", "input": "powers", "operand": "sum"}, {"op": "store", "output": "out", "dtype": "T"})";

const char kStatisticsOfOneValue[] = R"({"op": "tanh", "id": "given"}, {"op": "mean"},
    {"op": "store", "output": "mean", "dtype": "f32"}, {"op": "var", "input": "given", "correction": 0},
    {"op": "add", "value": 1}, {"op": "sqrt"}, {"op": "store", "output": "deviation", "dtype": "T"})";

KernelSpec MakeSpec(const Case& c, const GemmShape& shape, const std::string& chain) {
  std::string text = fmt::format(
      R"({{"version": 1, "name": "rows", "dims": {{"M": {}, "N": {}, "K": {}}},
      "inputs": {{"x": {{"dtype": "T", "shape": ["M", "K"]}},
                  "w": {{"dtype": "T", "shape": ["K", "N"], "layout": "column_major"}},
                  "full": {{"dtype": "T", "shape": ["M", "N"]}}, "row": {{"dtype": "T", "shape": ["N"]}},
                  "gain": {{"dtype": "f32", "shape": ["N"]}}, "column": {{"dtype": "f32", "shape": ["M"]}}}},
      "matmul": {{"a": "x", "b": "w"}}, "config": {{"schedule": "{}", "tile": [{}, {}, {}]}}, "epilogue": [{}]}})",
      shape.m, shape.n, shape.k, c.schedule, c.tile[0], c.tile[1], c.tile[2], chain);
  for (const char* operand : {"full", "row", "gain", "column"}) {
    if (chain.find(fmt::format("\"{}\"", operand)) != std::string::npos) continue;
    const std::size_t at = text.find(fmt::format("\"{}\": {{", operand));
    text.erase(text.rfind(',', at), text.find('}', at) + 1 - text.rfind(',', at));
  }
  for (std::size_t at = 0; (at = text.find("\"T\"")) != std::string::npos;) text.replace(at, 3, "\"" + c.dtype + "\"");
  KernelSpec spec = SpecFromText(text);
  spec.precision = c.precision;
  return spec;
}

class RowsTest : public GpuTest, public testing::WithParamInterface<Case> {
 protected:
  // The kernels that computed it; nothing where the test skips or failed.
  std::vector<KernelPlan> Check(const GemmShape& shape, const std::string& chain) {
    const KernelSpec spec = MakeSpec(GetParam(), shape, chain);
    std::vector<KernelPlan> kernels;
    Compute(spec, shape, kernels);
    return kernels;
  }

 private:
  void Compute(const KernelSpec& spec, const GemmShape& shape, std::vector<KernelPlan>& kernels) {
    if (const Arch& arch = device_->info().limits.arch; GetParam().schedule == "wgmma" && arch != Arch{9, 0, true}) {
      GTEST_SKIP() << "skipped: wgmma is not for " << Name(arch);
    }
    Engine engine(compiler_.get(), cubins_.get(), std::int64_t{1} << 30);
    const absl::StatusOr<CompileOutcome> compiled =
        engine.Compile(spec, device_->info().limits, Assumptions{}, std::nullopt, absl::InfiniteFuture());
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    const absl::StatusOr<DeviceRunOutcome> outcome =
        RunOnDevice(*device_, *compiled->compiled, spec, compiled->canonical, {}, {});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    const ElementCheck& worst = outcome->report.worst;
    EXPECT_TRUE(outcome->report.verified)
        << shape.m << " x " << shape.n << " x " << shape.k << ": " << outcome->report.mismatches << " wrong, worst "
        << worst.output << "[" << worst.row << ", " << worst.column << "] is " << worst.got << ", not "
        << worst.expected << " +- " << worst.tolerance;
    EXPECT_EQ(outcome->damage, "");
    kernels = compiled->compiled->planned.plan.kernels;
  }
};

const GemmShape kAligned{256, 384, 128}, kTails{200, 328, 72}, kRagged{131, 77, 93}, kOne{1, 1, 1}, kLong{40, 4104, 64};

TEST_P(RowsTest, ReducesAlignedRows) {
  for (const char* operation : kOperations) Check(kAligned, Alone(operation));
}

TEST_P(RowsTest, ReducesTails) {
  for (const char* operation : kOperations) Check(kTails, Alone(operation));
}

TEST_P(RowsTest, ReducesRaggedRows) {
  for (const char* operation : kOperations) Check(kRagged, Alone(operation));
}

TEST_P(RowsTest, ReducesLongRows) {
  for (const char* operation : {"layer_norm", "softmax", "logsumexp", "argmax"}) Check(kLong, Alone(operation));
}

TEST_P(RowsTest, ReducesRowsOfOne) {
  for (const char* operation : {"rms_norm", "layer_norm", "softmax", "sum"}) Check(kOne, Alone(operation));
}

TEST_P(RowsTest, ReducesRowsOfZeros) {
  for (const char* operation : {"rms_norm", "layer_norm", "softmax", "sum"}) Check({40, 56, 0}, Alone(operation));
}

TEST_P(RowsTest, ComputesChains) {
  for (const GemmShape& shape : {kAligned, kTails, kRagged}) {
    for (const char* chain : {kBetweenChains, kOneAfterTheOther, kByItsParts, kStatisticsOfOneValue}) {
      Check(shape, chain);
    }
  }
}

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  const std::string precision = c.precision == Precision::kTf32 ? "_tf32" : "";
  return fmt::format("{}_{}x{}x{}_{}{}", c.schedule, c.tile[0], c.tile[1], c.tile[2], c.dtype, precision);
}

INSTANTIATE_TEST_SUITE_P(Families, RowsTest,
                         testing::Values(Case{"simt", {64, 64, 16}, "f32"}, Case{"simt", {32, 32, 16}, "bf16"},
                                         Case{"mma", {64, 64, 32}, "f16"}, Case{"wgmma", {128, 256, 64}, "f16"},
                                         Case{"wgmma", {128, 128, 64}, "f16"}, Case{"wgmma", {128, 128, 64}, "bf16"},
                                         Case{"wgmma", {128, 64, 64}, "bf16"},
                                         Case{"wgmma", {128, 128, 32}, "f32", Precision::kTf32}),
                         CaseName);

// Those of one kernel.
class RowBarrierTest : public RowsTest {};

TEST_P(RowBarrierTest, IsOneKernel) {
  for (const char* operation : kOperations) {
    const std::vector<KernelPlan> kernels = Check(kAligned, Alone(operation));
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_EQ(kernels.size(), 1u) << operation;
    EXPECT_EQ(kernels[0].config.rows, RowSchedule::kBarrier) << operation;
  }
}

TEST_P(RowBarrierTest, GivesTheSameBitsEveryTime) {
  const KernelSpec spec = MakeSpec(GetParam(), kTails, kBetweenChains);
  if (device_->info().limits.arch != Arch{9, 0, true}) GTEST_SKIP() << "skipped: wgmma is not for this device";
  Engine engine(compiler_.get(), cubins_.get(), std::int64_t{1} << 30);
  const absl::StatusOr<CompileOutcome> compiled =
      engine.Compile(spec, device_->info().limits, Assumptions{}, std::nullopt, absl::InfiniteFuture());
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  std::map<std::string, std::string> first;
  for (int run = 0; run < 20; ++run) {
    const absl::StatusOr<DeviceRunOutcome> outcome =
        RunOnDevice(*device_, *compiled->compiled, spec, compiled->canonical, {}, {});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    if (run == 0) first = outcome->outputs;
    ASSERT_EQ(outcome->outputs, first);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiles, RowBarrierTest,
                         testing::Values(Case{"wgmma", {128, 128, 64}, "bf16"}, Case{"wgmma", {128, 64, 64}, "f16"}),
                         CaseName);

}  // namespace
}  // namespace gemmd
