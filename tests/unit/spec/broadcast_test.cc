#include "spec/broadcast.h"

#include <gtest/gtest.h>

#include "sample_spec.h"

namespace gemmd {
namespace {

std::optional<Broadcast> OfShape(const KernelSpec& spec, std::vector<ShapeEntry> shape) {
  const auto product = ProductOf(spec);
  return BroadcastOf(spec, {DType::kF32, std::move(shape), Layout::kRowMajor}, product->m, product->n);
}

TEST(BroadcastTest, FollowsTheNamesOfDims) {
  const KernelSpec spec = SampleSpec();
  EXPECT_EQ(OfShape(spec, {}), Broadcast::kScalar);
  EXPECT_EQ(OfShape(spec, {"N"}), Broadcast::kRow);
  EXPECT_EQ(OfShape(spec, {"M"}), Broadcast::kColumn);
  EXPECT_EQ(OfShape(spec, {"M", "N"}), Broadcast::kFull);
  EXPECT_EQ(OfShape(spec, {"K"}), std::nullopt);
  EXPECT_EQ(OfShape(spec, {"N", "M"}), std::nullopt);
}

TEST(BroadcastTest, PrefersTheNameWhereExtentsAreEqual) {
  KernelSpec spec = SampleSpec();
  spec.dims = {{"M", {64}}, {"N", {64}}, {"K", {64}}};
  EXPECT_EQ(OfShape(spec, {"M"}), Broadcast::kColumn);
  EXPECT_EQ(OfShape(spec, {"N"}), Broadcast::kRow);
}

TEST(BroadcastTest, TakesAnAmbiguousVectorAsARow) {
  KernelSpec spec = SampleSpec();
  spec.dims = {{"M", {64}}, {"N", {64}}, {"K", {64}}};
  EXPECT_EQ(OfShape(spec, {std::int64_t{64}}), Broadcast::kRow);
  EXPECT_EQ(OfShape(spec, {"K"}), Broadcast::kRow);
}

TEST(BroadcastTest, TakesAVectorOfASharedDimAsARow) {
  KernelSpec spec = SampleSpec();
  spec.inputs["x"].shape = {"N", "K"};
  EXPECT_EQ(OfShape(spec, {"N"}), Broadcast::kRow);
}

TEST(BroadcastTest, MatchesLiteralExtents) {
  KernelSpec spec = SampleSpec();
  spec.dims["M"] = {96};
  EXPECT_EQ(OfShape(spec, {std::int64_t{96}}), Broadcast::kColumn);
  EXPECT_EQ(OfShape(spec, {std::int64_t{96}, "N"}), Broadcast::kFull);
}

TEST(BroadcastTest, NeverMatchesADynamicDimByExtent) {
  EXPECT_EQ(OfShape(SampleSpec(), {std::int64_t{96}}), std::nullopt);
}

TEST(ExtentTest, DynamicDimsAreEqualByNameAlone) {
  EXPECT_EQ((Extent{"M", {}}), (Extent{"M", {}}));
  EXPECT_NE((Extent{"M", {}}), (Extent{"N", {}}));
  EXPECT_NE((Extent{"M", {}}), (Extent{"", 4}));
}

TEST(ProductTest, IsNothingWithoutMatrices) {
  KernelSpec spec = SampleSpec();
  spec.matmul_b = "bias";
  EXPECT_FALSE(ProductOf(spec).has_value());
}

}  // namespace
}  // namespace gemmd
