#include "engine/launch_signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/unit/spec/sample_spec.h"

namespace gemmd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<LaunchSignature> Resolve(const DimValues& dims, const ScalarValues& scalars) {
  return ResolveSignature(SampleSpec(), Canonicalize(SampleSpec()), dims, scalars);
}

TEST(LaunchSignatureTest, ListsTensorsByGraphIndexWithTheirBytes) {
  const auto signature = Resolve({{"M", 3}}, {{"shift", 0.5f}});
  ASSERT_TRUE(signature.ok()) << signature.status();
  EXPECT_EQ(signature->shape, (GemmShape{.m = 3, .n = 256, .k = 512}));
  std::vector<std::string> names;
  std::vector<std::int64_t> bytes;
  for (const SignatureTensor& input : signature->inputs) {
    names.push_back(input.name);
    bytes.push_back(input.bytes);
  }
  EXPECT_THAT(names, ElementsAre("x", "w", "residual", "bias", "row_scale", "shift"));
  EXPECT_THAT(bytes, ElementsAre(3 * 512 * 2, 512 * 256 * 2, 3 * 256 * 2, 256 * 2, 3 * 4, 0));
  EXPECT_THAT(signature->scalars, ElementsAre(0, 0, 0, 0, 0, 0.5f));
  ASSERT_EQ(signature->outputs.size(), 2u);
  EXPECT_EQ(signature->outputs[0].name, "aux");
  EXPECT_THAT(signature->outputs[1].extents, ElementsAre(3, 256));
}

TEST(LaunchSignatureTest, NamesAScalarThatIsMissing) {
  const auto signature = Resolve({{"M", 3}}, {});
  EXPECT_EQ(signature.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(MessageOf(signature.status())), HasSubstr("scalars.shift"));
}

TEST(LaunchSignatureTest, SuggestsTheScalarThatWasMeant) {
  const auto signature = Resolve({{"M", 3}}, {{"shift", 1.0f}, {"shfit", 1.0f}});
  EXPECT_THAT(std::string(MessageOf(signature.status())), HasSubstr("did you mean \"shift\""));
}

TEST(LaunchSignatureTest, NamesADimThatIsMissing) {
  const auto signature = Resolve({}, {{"shift", 1.0f}});
  EXPECT_EQ(signature.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(MessageOf(signature.status())), HasSubstr("M"));
}

}  // namespace
}  // namespace gemmd
