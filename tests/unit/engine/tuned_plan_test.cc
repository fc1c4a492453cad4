// What the engine makes of tuning records. Nothing is compiled: the plan tells.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "base/status.h"
#include "compile/subprocess_compiler.h"
#include "engine/engine.h"
#include "temporary_directory.h"
#include "tests/unit/spec/sample_spec.h"
#include "tune/tuning_store.h"

namespace gemmd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

const TunedDevice kDevice = {"NVIDIA H200", "580.159.03 (CUDA 13.0)"};

class TunedPlanTest : public testing::Test {
 protected:
  static DeviceLimits Limits() { return *LimitsOf({9, 0, true}); }

  Plan PlanOf(const KernelSpec& spec, const TunedDevice& device = kDevice) const {
    const auto planned = engine_.Plan(spec, Limits(), Assumptions{}, device);
    EXPECT_TRUE(planned.ok()) << planned.status();
    return planned->plan;
  }
  // A record of the model's second choice for the range around that M.
  TuningRecord RecordFor(const KernelSpec& spec, std::int64_t m) const {
    const auto question = engine_.AskToTune(spec, Limits(), Assumptions{}, m, kDevice);
    EXPECT_TRUE(question.ok()) << question.status();
    TuningRecord record;
    record.key = question->key;
    record.config = question->range.configs.at(1);
    record.first_pick = question->range.configs.at(0);
    record.time_ns = 10'000;
    record.first_pick_time_ns = 12'500;
    record.shape = {m, 1, 1};
    record.tuned_at = absl::FromUnixMillis(absl::ToUnixMillis(absl::Now()));
    return record;
  }
  // The config of the kernel that takes the product at that M.
  static KernelConfig ConfigAt(const Plan& plan, std::int64_t m) {
    for (const PlanVariant& variant : plan.variants) {
      if (variant.m.Contains(m)) return plan.kernels[static_cast<std::size_t>(variant.kernels.back())].config;
    }
    return {};
  }

  TemporaryDirectory directory_;
  TuningStore store_{directory_.path() / "tuning.db"};
  SubprocessCompiler compiler_{{.worker_executable = "/nonexistent/gemmd_compile_worker", .nvrtc_directories = {}}};
  Engine engine_{&compiler_, nullptr, 1 << 20, &store_};
};

// A product with a dynamic M and no operands, of several ranges.
KernelSpec PlainSpec() {
  KernelSpec spec;
  spec.dims = {{"M", {}}};
  spec.inputs = {{"x", {DType::kBf16, {"M", 4096}, Layout::kRowMajor}},
                 {"w", {DType::kBf16, {4096, 4096}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.epilogue = {Store("out", DType::kBf16)};
  return spec;
}

TEST_F(TunedPlanTest, TakesTheRecordForItsRangeOfMAlone) {
  const Plan before = PlanOf(PlainSpec());
  ASSERT_GT(before.variants.size(), 1u);
  const TuningRecord record = RecordFor(PlainSpec(), 8192);
  ASSERT_TRUE(store_.Put(record).ok());
  const Plan after = PlanOf(PlainSpec());
  EXPECT_EQ(ConfigAt(after, 8192), record.config);
  EXPECT_EQ(ConfigAt(after, 1), ConfigAt(before, 1));
  EXPECT_NE(after.plan_id, before.plan_id);
  EXPECT_THAT(after.reasons, Contains(HasSubstr("tuned at M = 8192")));
  EXPECT_THAT(after.reasons, Contains(HasSubstr("takes 10.00 us, the model's first pick")));
}

TEST_F(TunedPlanTest, IsTheModelsWithoutARecordOfThatDevice) {
  const Plan before = PlanOf(PlainSpec());
  ASSERT_TRUE(store_.Put(RecordFor(PlainSpec(), 8192)).ok());
  EXPECT_EQ(PlanOf(PlainSpec(), {}), before);
  EXPECT_EQ(PlanOf(PlainSpec(), {kDevice.name, "590.1 (CUDA 13.1)"}), before);
}

TEST_F(TunedPlanTest, IsTheModelsWhereTheSpecPinsAConfig) {
  ASSERT_TRUE(store_.Put(RecordFor(PlainSpec(), 8192)).ok());
  KernelSpec pinned = PlainSpec();
  pinned.config.schedule = "mma";
  EXPECT_THAT(PlanOf(pinned).reasons, Not(Contains(HasSubstr("tuned"))));
}

TEST_F(TunedPlanTest, IgnoresARecordThatIsNotLegal) {
  const Plan before = PlanOf(PlainSpec());
  TuningRecord record = RecordFor(PlainSpec(), 8192);
  record.config.shared_bytes += 16;
  ASSERT_TRUE(store_.Put(record).ok());
  EXPECT_EQ(PlanOf(PlainSpec()), before);
  record = RecordFor(PlainSpec(), 8192);
  record.config.rows = RowSchedule::kTwoKernels;
  ASSERT_TRUE(store_.Put(record).ok());
  EXPECT_EQ(PlanOf(PlainSpec()), before);
}

TEST_F(TunedPlanTest, KnowsTheQuestionByAllThatMatters) {
  const TuningKey key = RecordFor(PlainSpec(), 8192).key;
  EXPECT_TRUE(key.m.Contains(8192));
  EXPECT_EQ(key.device, kDevice);
  EXPECT_EQ(key.promises, "16,16>16");
  EXPECT_FALSE(key.device_library.empty());
  KernelSpec other = PlainSpec();
  other.epilogue.insert(other.epilogue.begin(), {.kind = OpKind::kRelu});
  EXPECT_NE(RecordFor(other, 8192).key.spec_id, key.spec_id);
  const auto narrow = engine_.AskToTune(PlainSpec(), Limits(), Assumptions{{8, 16}, {16}}, 8192, kDevice);
  ASSERT_TRUE(narrow.ok()) << narrow.status();
  EXPECT_EQ(narrow->key.promises, "8,16>16");
}

TEST_F(TunedPlanTest, RefusesToTuneAPin) {
  KernelSpec pinned = PlainSpec();
  pinned.config.schedule = "mma";
  EXPECT_TRUE(absl::IsInvalidArgument(engine_.AskToTune(pinned, Limits(), Assumptions{}, 8192, kDevice).status()));
}

}  // namespace
}  // namespace gemmd
