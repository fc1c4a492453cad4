// Products whose K is divided between CTAs, in clusters, through the workspace and both, against fp64.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
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
  int split_k = 1, cluster_k = 1;
};

const char kAlone[] = R"({"op": "store", "output": "out", "dtype": "T"})";

// Every kind of operand, and the value before stored beside.
const char kChain[] =
    R"({"op": "add", "operand": "row"}, {"op": "add", "operand": "full", "scale": 0.5}, {"op": "gelu"},
    {"op": "store", "output": "aux", "dtype": "f32"}, {"op": "mul", "operand": "column"}, {"op": "silu"},
    {"op": "store", "output": "out", "dtype": "T"})";

const char kGate[] = R"({"op": "add", "operand": "row"}, {"op": "store", "output": "aux", "dtype": "T"},
    {"op": "swiglu"}, {"op": "store", "output": "out", "dtype": "T"})";

const char kReduced[] = R"({"op": "softmax"}, {"op": "store", "output": "out", "dtype": "T"})";

// Which factors are column-major.
enum class Turned { kNone, kB, kBoth };

KernelSpec MakeSpec(const Case& c, const GemmShape& shape, const std::string& chain, Turned turned) {
  const auto layout = [](bool column_major) { return column_major ? "column_major" : "row_major"; };
  std::string text = fmt::format(
      R"({{"version": 1, "name": "split", "dims": {{"M": {}, "N": {}, "K": {}}},
      "inputs": {{"x": {{"dtype": "T", "shape": ["M", "K"], "layout": "{}"}},
                  "w": {{"dtype": "T", "shape": ["K", "N"], "layout": "{}"}},
                  "full": {{"dtype": "T", "shape": ["M", "N"]}}, "row": {{"dtype": "T", "shape": ["N"]}},
                  "column": {{"dtype": "f32", "shape": ["M"]}}}},
      "matmul": {{"a": "x", "b": "w"}},
      "config": {{"schedule": "{}", "tile": [{}, {}, {}], "split_k": {}, "cluster_k": {}}}, "epilogue": [{}]}})",
      shape.m, shape.n, shape.k, layout(turned == Turned::kBoth), layout(turned != Turned::kNone), c.schedule,
      c.tile[0], c.tile[1], c.tile[2], c.split_k, c.cluster_k, chain);
  for (const char* operand : {"full", "row", "column"}) {
    if (chain.find(fmt::format("\"{}\"", operand)) != std::string::npos) continue;
    const std::size_t at = text.find(fmt::format("\"{}\": {{", operand));
    text.erase(text.rfind(',', at), text.find('}', at) + 1 - text.rfind(',', at));
  }
  for (std::size_t at = 0; (at = text.find("\"T\"")) != std::string::npos;) text.replace(at, 3, "\"" + c.dtype + "\"");
  return SpecFromText(text);
}

// The shape with lines that the copy engine can fetch, of either half where there is a gate.
GemmShape Reachable(GemmShape shape, Turned turned, bool gated) {
  const auto up = [](std::int64_t extent, std::int64_t step) { return (extent + step - 1) / step * step; };
  constexpr std::int64_t kLine = 8;
  shape.k = up(shape.k, kLine);
  if (turned == Turned::kBoth) shape.m = up(shape.m, kLine);
  if (turned == Turned::kNone) shape.n = up(shape.n, gated ? 2 * kLine : kLine);
  return shape;
}

class SplitKTest : public GpuTest, public testing::WithParamInterface<Case> {
 protected:
  void Check(const GemmShape& shape, const std::string& chain, int runs = 1) {
    if (GetParam().cluster_k > 1 && device_->info().limits.arch.major < 9) {
      GTEST_SKIP() << "skipped: " << Name(device_->info().limits.arch) << " has no clusters";
    }
    const bool skinny = GetParam().schedule == "skinny";
    if (skinny && device_->info().limits.arch != Arch{9, 0, true}) {
      GTEST_SKIP() << "skipped: skinny is not for " << Name(device_->info().limits.arch);
    }
    const bool can_turn = GetParam().schedule == "simt" || GetParam().tile[0] >= (skinny ? 64 : 32);
    for (const Turned turned : {Turned::kNone, Turned::kB, Turned::kBoth}) {
      if (turned == Turned::kBoth && !can_turn) continue;
      const GemmShape taken = skinny ? Reachable(shape, turned, chain == kGate) : shape;
      Compute(MakeSpec(GetParam(), taken, chain, turned), runs);
    }
  }

 private:
  // Every run has to give the same bits.
  void Compute(const KernelSpec& spec, int runs) {
    Engine engine(compiler_.get(), cubins_.get(), std::int64_t{1} << 30);
    const absl::StatusOr<CompileOutcome> compiled =
        engine.Compile(spec, device_->info().limits, Assumptions{}, std::nullopt, absl::InfiniteFuture());
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    const KernelConfig& config = compiled->compiled->planned.plan.kernels.front().config;
    EXPECT_EQ(config.split_k(), GetParam().split_k);
    EXPECT_EQ(config.cluster_k, GetParam().cluster_k);
    std::map<std::string, std::string> first;
    for (int run = 0; run < runs; ++run) {
      const absl::StatusOr<DeviceRunOutcome> outcome =
          RunOnDevice(*device_, *compiled->compiled, spec, compiled->canonical, {}, {});
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      const ElementCheck& worst = outcome->report.worst;
      EXPECT_TRUE(outcome->report.verified)
          << outcome->report.mismatches << " wrong, worst " << worst.output << "[" << worst.row << ", " << worst.column
          << "] is " << worst.got << ", not " << worst.expected << " +- " << worst.tolerance;
      EXPECT_EQ(outcome->damage, "");
      if (run == 0) first = outcome->outputs;
      ASSERT_EQ(outcome->outputs, first);
    }
  }
};

TEST_P(SplitKTest, MultipliesWholeTiles) { Check({128, 256, 2048}, kAlone); }

TEST_P(SplitKTest, MultipliesRaggedOnes) {
  for (const GemmShape& shape : {GemmShape{131, 77, 1093}, GemmShape{1, 264, 4104}, GemmShape{40, 1, 555}}) {
    Check(shape, kAlone);
  }
}

TEST_P(SplitKTest, SomeSharesAreEmpty) {
  for (const std::int64_t k : {0, 1, 100}) Check({50, 60, k}, kAlone);
}

TEST_P(SplitKTest, ComputesChains) {
  for (const GemmShape& shape : {GemmShape{128, 256, 1024}, GemmShape{67, 93, 1001}}) Check(shape, kChain);
}

TEST_P(SplitKTest, ComputesGates) {
  const bool skinny = GetParam().schedule == "skinny";
  const bool narrow = skinny ? GetParam().tile[1] < 128 : GetParam().tile[0] < 32 || GetParam().tile[1] < 64;
  if (narrow) GTEST_SKIP() << "skipped: no tile of a gate";
  for (const GemmShape& shape : {GemmShape{128, 256, 1024}, GemmShape{67, 90, 1001}}) Check(shape, kGate);
}

TEST_P(SplitKTest, ReducesRowsAfterwards) { Check({67, 193, 1001}, kReduced); }

TEST_P(SplitKTest, GivesTheSameBitsEveryTime) { Check({67, 93, 3001}, kChain, 20); }

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return fmt::format("{}_{}x{}x{}_{}_split{}_cluster{}", c.schedule, c.tile[0], c.tile[1], c.tile[2], c.dtype,
                     c.split_k, c.cluster_k);
}

INSTANTIATE_TEST_SUITE_P(
    Families, SplitKTest,
    testing::Values(Case{"simt", {32, 64, 16}, "f32", 8, 8}, Case{"simt", {64, 64, 16}, "f16", 4, 1},
                    Case{"simt", {32, 32, 32}, "f32", 64, 8}, Case{"simt", {16, 64, 32}, "bf16", 16, 4},
                    Case{"mma", {16, 64, 64}, "bf16", 8, 8}, Case{"mma", {16, 128, 64}, "f16", 4, 4},
                    Case{"mma", {32, 64, 32}, "f16", 16, 1}, Case{"mma", {64, 128, 64}, "bf16", 32, 8},
                    Case{"mma", {128, 64, 64}, "bf16", 2, 2}, Case{"skinny", {16, 64, 64}, "bf16", 2, 2},
                    Case{"skinny", {16, 128, 64}, "f16", 1, 1}, Case{"skinny", {32, 128, 64}, "bf16", 8, 4},
                    Case{"skinny", {64, 64, 64}, "bf16", 4, 1}, Case{"skinny", {64, 256, 64}, "f16", 8, 8},
                    Case{"skinny", {64, 128, 64}, "bf16", 2, 2}),
    CaseName);

}  // namespace
}  // namespace gemmd
