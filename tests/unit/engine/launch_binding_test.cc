#include "engine/launch_binding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/unit/spec/sample_spec.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

// residual is added, stored as aux and, when `late`, added again before out is stored. All f32, 8 x 8 x 8.
KernelSpec ResidualSpec(bool late) {
  const TensorSpec matrix{DType::kF32, {8, 8}, Layout::kRowMajor};
  KernelSpec spec;
  spec.inputs = {{"x", matrix}, {"w", matrix}, {"residual", matrix}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.epilogue = {{.kind = OpKind::kAdd, .operand = "residual"}, Store("aux", DType::kF32)};
  if (late) spec.epilogue.push_back({.kind = OpKind::kAdd, .operand = "residual"});
  spec.epilogue.push_back(Store("out", DType::kF32));
  return spec;
}

class LaunchBindingTest : public testing::Test {
 protected:
  explicit LaunchBindingTest(bool late = true) : spec_(ResidualSpec(late)) {
    std::uint64_t buffer = 0;
    for (const char* name : {"x", "w", "residual", "aux", "out"}) {
      arguments_[name] = {.binding = {.buffer = BufferId{++buffer}}, .buffer_bytes = 1024};
    }
  }

  const CanonicalSpec canonical() const { return Canonicalize(spec_); }
  LaunchSignature Signature() const { return *ResolveSignature(spec_, canonical(), {}, {}); }

  // BindLaunch, then CheckLaunch for the assumptions that the arguments keep.
  absl::Status Check() const {
    GEMMD_ASSIGN_OR_RETURN(const LaunchRequest request, BindLaunch(Signature(), arguments_));
    const DeviceLimits limits = *LimitsOf({.major = 8, .minor = 0});
    GEMMD_ASSIGN_OR_RETURN(const auto configs, RankConfigs(canonical().graph, limits, {}));
    const Assumptions assumptions = AssumptionsOf(Signature(), arguments_);
    const Plan plan = PlanWith(canonical().graph, configs.front(), limits, assumptions);
    return CheckLaunch(MakeManifest(canonical().graph, plan, {"key"}), canonical(), request, arguments_);
  }
  void ExpectInvalid(const std::string& needle) const {
    const absl::Status status = Check();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr(needle));
  }

  KernelSpec spec_;
  TensorArguments arguments_;
};

TEST_F(LaunchBindingTest, BindsByGraphIndex) {
  const auto request = BindLaunch(Signature(), arguments_);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->inputs[2].buffer, BufferId{3});
  EXPECT_EQ(request->outputs[1].buffer, BufferId{5});
  EXPECT_TRUE(Check().ok()) << Check();
}

TEST_F(LaunchBindingTest, NamesWhatIsMissing) {
  arguments_.erase("residual");
  ExpectInvalid("tensors.residual: missing");
}

TEST_F(LaunchBindingTest, SuggestsTheTensorThatWasMeant) {
  arguments_["residul"] = arguments_["residual"];
  ExpectInvalid("did you mean \"residual\"");
}

TEST_F(LaunchBindingTest, RefusesAnOffsetInsideAnElement) {
  arguments_["x"].binding.offset_bytes = 2;
  ExpectInvalid("tensors.x: offset_bytes");
}

TEST_F(LaunchBindingTest, PromisesForEachTensorWhatItsArgumentKeeps) {
  const Assumptions aligned = Completed(canonical().graph, {});
  EXPECT_EQ(AssumptionsOf(Signature(), arguments_), aligned);
  arguments_["x"].binding.offset_bytes = 16;
  arguments_["out"].binding.leading_dimension = 8;
  arguments_["aux"].binding.leading_dimension = 12;
  EXPECT_EQ(AssumptionsOf(Signature(), arguments_), aligned);
  arguments_["w"].binding.offset_bytes = 4;
  arguments_["residual"].binding.leading_dimension = 10;
  arguments_["out"].binding.leading_dimension = 9;
  EXPECT_EQ(AssumptionsOf(Signature(), arguments_), (Assumptions{{16, 4, 8}, {16, 4}}));
}

TEST_F(LaunchBindingTest, RefusesAnOutputOnAMatmulInputByName) {
  arguments_["out"].binding.buffer = arguments_["x"].binding.buffer;
  ExpectInvalid("\"out\" overlaps input \"x\"");
}

TEST_F(LaunchBindingTest, TakesAnOutputOnTheOperandItIsDoneWith) {
  arguments_["out"].binding.buffer = arguments_["residual"].binding.buffer;
  EXPECT_TRUE(Check().ok()) << Check();
}

TEST_F(LaunchBindingTest, TakesAnOutputOnAnOperandThatIsReadAgain) {
  arguments_["aux"].binding.buffer = arguments_["residual"].binding.buffer;
  EXPECT_TRUE(Check().ok()) << Check();
}

TEST_F(LaunchBindingTest, RefusesTwoOutputsOnOneOperand) {
  arguments_["aux"].binding.buffer = arguments_["residual"].binding.buffer;
  arguments_["out"].binding.buffer = arguments_["residual"].binding.buffer;
  ExpectInvalid("output \"out\" overlaps output \"aux\"");
}

TEST_F(LaunchBindingTest, RefusesAnOutputOnPartOfAnOperand) {
  arguments_["out"].binding.buffer = arguments_["residual"].binding.buffer;
  arguments_["out"].binding.offset_bytes = 32;
  arguments_["out"].buffer_bytes = arguments_["residual"].buffer_bytes = 1024;
  ExpectInvalid("in place needs a full operand of the same place, shape and dtype");
}

TEST(WithNamesTest, NamesTheManifestsTensors) {
  Manifest manifest;
  manifest.inputs.resize(2);
  manifest.outputs.resize(1);
  const Manifest named = WithNames(manifest, {.inputs = {"a", "b"}, .outputs = {"c"}});
  EXPECT_EQ(named.inputs[1].name, "b");
  EXPECT_EQ(named.outputs[0].name, "c");
}

}  // namespace
}  // namespace gemmd
