#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_spec.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Message(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ResolveShapeTest, TakesLiteralDimsFromTheSpec) {
  EXPECT_EQ(*ResolveShape(SampleSpec(), {{"M", 7}}), (GemmShape{7, 256, 512}));
}

TEST(ResolveShapeTest, AcceptsALiteralDimThatAgrees) {
  EXPECT_TRUE(ResolveShape(SampleSpec(), {{"M", 7}, {"K", 512}}).ok());
}

TEST(ResolveShapeTest, AcceptsEmptyExtents) { EXPECT_EQ(ResolveShape(SampleSpec(), {{"M", 0}})->m, 0); }

TEST(ResolveShapeTest, TellsAllThatIsWrongAtOnce) {
  KernelSpec spec = SampleSpec();
  spec.dims["seq_len"] = {};
  spec.inputs["x"].shape[0] = "seq_len";
  EXPECT_EQ(Message(ResolveShape(spec, {{"seqlen", 3}, {"M", -1}, {"K", 511}}).status()),
            "dims.seq_len: missing; expected the extent of a dynamic dim\n"
            "dims.K: 511 is not 512, its extent in the spec\n"
            "dims.M: -1 is not between 0 and 2147418111\n"
            "dims.seqlen: \"seqlen\" is not a dim of the spec; did you mean \"seq_len\"?");
}

TEST(ResolveShapeTest, RefusesExtentsThatAKernelCannotCountPast) {
  EXPECT_TRUE(ResolveShape(SampleSpec(), {{"M", kMaxExtent}}).ok());
  EXPECT_EQ(Message(ResolveShape(SampleSpec(), {{"M", kMaxExtent + 1}}).status()),
            "dims.M: 2147418112 is not between 0 and 2147418111");
}

TEST(ResolveShapeTest, RefusesAResultThatOverflows) {
  KernelSpec spec = SampleSpec();
  spec.dims["N"] = {};
  EXPECT_EQ(Message(ResolveShape(spec, {{"M", kMaxExtent}, {"N", kMaxExtent}}).status()),
            "dims: the size of a 2147418111 x 2147418111 matrix is not under 2^62 bytes");
}

TEST(ResolveTensorTest, GivesExtentsInElements) {
  const KernelSpec spec = SampleSpec();
  EXPECT_THAT(*ResolveTensor(spec, spec.inputs.at("residual"), {{"M", 7}}), ElementsAre(7, 256));
  EXPECT_THAT(*ResolveTensor(spec, spec.inputs.at("bias"), {}), ElementsAre(256));
  EXPECT_THAT(*ResolveTensor(spec, spec.inputs.at("shift"), {}), IsEmpty());
}

TEST(ResolveOutputsTest, HaveHalfOfTheColumnsAfterAGate) {
  KernelSpec spec = SampleSpec();
  spec.epilogue[5] = {.kind = OpKind::kSwiglu};
  const std::vector<OutputTensor> outputs = ResolveOutputs(spec, {7, 256, 512});
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].name, "aux");
  EXPECT_THAT(outputs[0].shape, ElementsAre(7, 256));
  EXPECT_EQ(outputs[1].dtype, DType::kF16);
  EXPECT_THAT(outputs[1].shape, ElementsAre(7, 128));
}

TEST(ResolveTensorTest, NeedsEveryDynamicDim) {
  const KernelSpec spec = SampleSpec();
  EXPECT_EQ(Message(ResolveTensor(spec, spec.inputs.at("x"), {}).status()),
            "dims.M: missing; expected the extent of a dynamic dim");
}

}  // namespace
}  // namespace gemmd
