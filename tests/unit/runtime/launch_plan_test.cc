#include "runtime/launch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/status.h"
#include "sample_kernel.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kPage = 1 << 20;

// A launch of the sample kernel with every tensor in a buffer of its own.
class LaunchPlanTest : public ::testing::Test {
 protected:
  LaunchPlanTest() {
    SetM(100);
    request_.scalars = {0, 0, 0, 0, 2.5f};
  }

  void SetM(std::int64_t m) {
    request_.shape = {m, kSampleN, kSampleK};
    request_.inputs.assign(5, TensorBinding{});
    request_.outputs.assign(1, TensorBinding{});
    inputs_ = {{1 * kPage, m * kSampleK * 4},
               {2 * kPage, kSampleK * kSampleN * 4},
               {3 * kPage, kSampleN * 4},
               {4 * kPage, m * kSampleN * 4},
               {0, 0}};
    outputs_ = {{5 * kPage, m * kSampleN * 4}};
  }

  absl::StatusOr<LaunchPlan> Plan() const { return PlanLaunch(manifest_, request_, inputs_, outputs_); }

  void ExpectError(absl::StatusCode code, const std::string& text) const {
    const auto plan = Plan();
    ASSERT_FALSE(plan.ok());
    EXPECT_EQ(plan.status().code(), code) << plan.status();
    EXPECT_THAT(MessageOf(plan.status()), HasSubstr(text));
  }

  Manifest manifest_ = SampleManifest();
  LaunchRequest request_;
  std::vector<MemoryRange> inputs_, outputs_;
};

template <typename Value>
Value FieldAt(const PlannedStep& step, std::size_t offset) {
  Value value{};
  std::memcpy(&value, step.params.data() + offset, sizeof value);
  return value;
}

TEST_F(LaunchPlanTest, FillsEveryParameterAtItsOffset) {
  request_.inputs[0].offset_bytes = 64;
  inputs_[0].bytes += 64;
  request_.outputs[0].leading_dimension = 30;
  outputs_[0].bytes = 100 * 30 * 4;
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->steps.size(), 1u);
  const PlannedStep& step = plan->steps[0];
  ASSERT_EQ(step.params.size(), 56u);
  EXPECT_EQ(FieldAt<std::uint64_t>(step, 0), 1 * kPage + 64);
  EXPECT_EQ(FieldAt<std::uint64_t>(step, 8), 4 * kPage);
  EXPECT_EQ(FieldAt<std::uint64_t>(step, 16), 5 * kPage);
  EXPECT_EQ(FieldAt<std::int64_t>(step, 24), kSampleN);
  EXPECT_EQ(FieldAt<std::int64_t>(step, 32), 30);
  EXPECT_EQ(FieldAt<std::int32_t>(step, 40), 100);
  EXPECT_EQ(FieldAt<std::int32_t>(step, 44), kSampleN);
  EXPECT_EQ(FieldAt<std::int32_t>(step, 48), kSampleK);
  EXPECT_EQ(FieldAt<float>(step, 52), 2.5f);
}

TEST_F(LaunchPlanTest, CoversTheResultWithTiles) {
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->steps[0].grid_x, 2 * 2);  // ceil(100 / 64) * ceil(24 / 16)
}

TEST_F(LaunchPlanTest, LaunchesNothingForAnEmptyResult) {
  SetM(0);
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->steps.empty());
}

TEST_F(LaunchPlanTest, StillLaunchesWhereKIsZero) {
  manifest_.k = std::nullopt;
  request_.shape.k = 0;
  inputs_[0] = inputs_[1] = {0, 0};
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->steps.size(), 1u);
}

// A step that fills an intermediate [M, K] of f16, 16 columns of 2 bytes, before the product.
LaunchStep PackStep() {
  LaunchStep step;
  step.grid = {.tile_m = 32, .tile_n = 8, .rows = Axis::kM, .columns = Axis::kK};
  step.params = {{ParamKind::kIntermediatePointer, 1, 0}, {ParamKind::kIntermediateLd, 1, 8}};
  step.param_bytes = 16;
  return step;
}

TEST_F(LaunchPlanTest, LaysIntermediatesOutInTheLaunchsMemory) {
  manifest_.intermediates = {{"", DType::kF32, Layout::kColumnMajor, "K,N"},
                             {"", DType::kF16, Layout::kRowMajor, "M,K"}};
  manifest_.k = std::nullopt;
  request_.shape.k = 13;
  auto& launches = manifest_.variants[0].launches;
  launches.insert(launches.begin(), PackStep());
  // 24 columns of 13 floats, each padded to 64 bytes; 100 rows of 13 halves, each padded to 32; both to 256.
  EXPECT_EQ(*ScratchBytes(manifest_, request_.shape), 24 * 64 + 3328);
  const auto plan = PlanLaunch(manifest_, request_, inputs_, outputs_, 9 * kPage);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->steps.size(), 2u);
  EXPECT_EQ(plan->steps[0].grid_x, 4 * 2);  // ceil(100 / 32) * ceil(13 / 8)
  EXPECT_EQ(FieldAt<std::uint64_t>(plan->steps[0], 0), 9 * kPage + 24 * 64);
  EXPECT_EQ(FieldAt<std::int64_t>(plan->steps[0], 8), 16);
}

TEST_F(LaunchPlanTest, SkipsAStepWithNothingToDo) {
  manifest_.intermediates = {{"", DType::kF32, Layout::kRowMajor, "M,K"}, {"", DType::kF16, Layout::kRowMajor, "M,K"}};
  manifest_.k = std::nullopt;
  request_.shape.k = 0;
  inputs_[0] = inputs_[1] = {0, 0};
  auto& launches = manifest_.variants[0].launches;
  launches.insert(launches.begin(), PackStep());
  EXPECT_EQ(*ScratchBytes(manifest_, request_.shape), 0);
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->steps.size(), 1u);
  EXPECT_EQ(plan->steps[0].index, 1u);
}

TEST_F(LaunchPlanTest, RefusesIntermediatesLargerThanAnyMemory) {
  manifest_.n = manifest_.k = std::nullopt;
  manifest_.intermediates.assign(4, {"", DType::kF32, Layout::kRowMajor, "K,N"});
  const GemmShape shape{0, kMaxExtent, kMaxExtent};
  EXPECT_EQ(ScratchBytes(manifest_, shape).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(LaunchPlanTest, PicksTheVariantOfM) {
  Variant small = manifest_.variants[0];
  small.m_max = 64;
  small.launches[0].grid = {16, 16};
  manifest_.variants.insert(manifest_.variants.begin(), small);
  EXPECT_EQ(*SelectVariant(manifest_, 64), 0u);
  EXPECT_EQ(*SelectVariant(manifest_, 65), 1u);
  SetM(64);
  EXPECT_EQ(Plan()->steps[0].grid_x, 4 * 2);
}

TEST_F(LaunchPlanTest, RefusesAnMThatNoVariantCovers) {
  manifest_.variants[0].m_max = 99;
  ExpectError(absl::StatusCode::kInvalidArgument, "M = 100");
}

TEST_F(LaunchPlanTest, RefusesAnExtentThatContradictsTheKernel) {
  request_.shape.n = kSampleN + 1;
  ExpectError(absl::StatusCode::kInvalidArgument, "N is 25, but the kernel was made for N = 24");
}

TEST_F(LaunchPlanTest, RefusesANegativeExtent) {
  request_.shape.m = -1;
  ExpectError(absl::StatusCode::kInvalidArgument, "M is -1");
}

// A kernel rounds extents up to whole tiles in 32 bits.
TEST_F(LaunchPlanTest, RefusesAnExtentWithinATileOf31Bits) {
  request_.shape.m = kMaxExtent + 1;
  ExpectError(absl::StatusCode::kInvalidArgument, "M is 2147418112, expected 0 to 2147418111");
}

TEST_F(LaunchPlanTest, RefusesAnotherNumberOfTensors) {
  request_.inputs.pop_back();
  ExpectError(absl::StatusCode::kInvalidArgument, "4 inputs, expected 5");
  request_.inputs.push_back({});
  request_.outputs.push_back({});
  ExpectError(absl::StatusCode::kInvalidArgument, "2 outputs, expected 1");
}

TEST_F(LaunchPlanTest, RefusesMissingScalars) {
  request_.scalars.clear();
  ExpectError(absl::StatusCode::kInvalidArgument, "0 scalar values");
}

TEST_F(LaunchPlanTest, RefusesATensorPastItsBuffer) {
  inputs_[3].bytes -= 1;
  ExpectError(absl::StatusCode::kOutOfRange, "input \"residual\"");
}

TEST_F(LaunchPlanTest, RefusesAnOffsetThatPushesATensorPastItsBuffer) {
  request_.outputs[0].offset_bytes = 4;
  ExpectError(absl::StatusCode::kOutOfRange, "output \"out\"");
}

TEST_F(LaunchPlanTest, RefusesATensorWithoutABuffer) {
  inputs_[2] = {0, 0};
  ExpectError(absl::StatusCode::kOutOfRange, "input \"bias\"");
}

TEST_F(LaunchPlanTest, RefusesAParameterPastTheStruct) {
  manifest_.variants[0].launches[0].param_bytes = 52;
  ExpectError(absl::StatusCode::kInternal, "offset 52");
}

TEST_F(LaunchPlanTest, RefusesAParameterOfATensorThereIsNot) {
  manifest_.variants[0].launches[0].params[0].index = 7;
  ExpectError(absl::StatusCode::kInternal, "tensor 7");
}

TEST_F(LaunchPlanTest, RefusesMoreTilesThanAGridHas) {
  manifest_.n = std::nullopt;
  manifest_.k = std::nullopt;
  manifest_.variants[0].launches[0].grid = {1, 1};
  const std::int64_t side = 65536;
  request_.shape = {side, side, 0};
  inputs_ = {{0, 0}, {0, 0}, {kPage, side * 4}, {std::uint64_t{1} << 40, side * side * 4}, {0, 0}};
  outputs_ = {{std::uint64_t{1} << 41, side * side * 4}};
  ExpectError(absl::StatusCode::kInvalidArgument, "4294967296 tiles");
}

TEST(CanRunTest, NeedsTheSameMajorAndNoLaterMinor) {
  EXPECT_TRUE(CanRun({8, 0, false}, {8, 6, false}));
  EXPECT_TRUE(CanRun({9, 0, false}, {9, 0, true}));
  EXPECT_FALSE(CanRun({8, 6, false}, {8, 0, false}));
  EXPECT_FALSE(CanRun({8, 0, false}, {9, 0, true}));
}

TEST(CanRunTest, AnArchSpecificImageNeedsThatVeryArch) {
  EXPECT_TRUE(CanRun({9, 0, true}, {9, 0, true}));
  EXPECT_FALSE(CanRun({10, 0, true}, {10, 3, true}));
  EXPECT_FALSE(CanRun({9, 0, true}, {9, 0, false}));
}

}  // namespace
}  // namespace gemmd
