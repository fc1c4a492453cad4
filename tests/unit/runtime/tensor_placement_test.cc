#include "runtime/tensor_placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/status.h"

namespace gemmd {
namespace {

using ::testing::HasSubstr;

constexpr GemmShape kShape{8, 16, 4};

ManifestTensor Matrix(const std::string& extents, Layout layout = Layout::kRowMajor, DType dtype = DType::kF16) {
  return {"t", dtype, layout, extents};
}

absl::StatusOr<CheckedTensor> Place(const ManifestTensor& tensor, TensorBinding binding, MemoryRange buffer) {
  return PlaceTensor(tensor, "input", 0, kShape, binding, buffer);
}

ManifestTensor Aligned(ManifestTensor tensor, int alignment_bytes) {
  tensor.alignment_bytes = alignment_bytes;
  return tensor;
}

TEST(PlaceTensorTest, RowMajorLinesAreRows) {
  const auto tensor = Place(Matrix("M,K"), {}, {4096, 64});
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->placed.lines, 8);
  EXPECT_EQ(tensor->placed.line_elements, 4);
  EXPECT_EQ(tensor->placed.leading_dimension, 4);
}

TEST(PlaceTensorTest, ColumnMajorLinesAreColumns) {
  const auto tensor = Place(Matrix("K,N", Layout::kColumnMajor), {}, {4096, 128});
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->placed.lines, 16);
  EXPECT_EQ(tensor->placed.leading_dimension, 4);
}

TEST(PlaceTensorTest, VectorsAreOneLine) {
  for (const auto& [extents, elements] : {std::pair{"M", kShape.m}, {"N", kShape.n}, {"K", kShape.k}}) {
    const auto tensor = Place(Matrix(extents), {}, {4096, 64});
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->placed.lines, 1) << extents;
    EXPECT_EQ(tensor->placed.line_elements, elements) << extents;
  }
}

TEST(PlaceTensorTest, LinesOfAGatesResultAreHalfAsLong) {
  const auto matrix = Place(Matrix("M,N/2"), {}, {4096, 128});
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->placed.lines, 8);
  EXPECT_EQ(matrix->placed.line_elements, 8);
  EXPECT_TRUE(matrix->full);
  const auto vector = Place(Matrix("N/2"), {}, {4096, 16});
  ASSERT_TRUE(vector.ok()) << vector.status();
  EXPECT_EQ(vector->placed.line_elements, 8);
}

TEST(PlaceTensorTest, TheLastLineNeedsNoPadding) {
  const std::int64_t bytes = (7 * 10 + 4) * 2;
  EXPECT_TRUE(Place(Matrix("M,K"), {BufferId{1}, 0, 10}, {4096, bytes}).ok());
  EXPECT_EQ(Place(Matrix("M,K"), {BufferId{1}, 0, 10}, {4096, bytes - 1}).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(PlaceTensorTest, RefusesALeadingDimensionBelowItsExtent) {
  const auto tensor = Place(Matrix("M,K"), {BufferId{1}, 0, 3}, {4096, 1024});
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(tensor.status()), HasSubstr("leading dimension 3 is less than its extent 4"));
}

TEST(PlaceTensorTest, HoldsThePlansAlignmentOfEveryLine) {
  EXPECT_TRUE(Place(Aligned(Matrix("M,K"), 16), {BufferId{1}, 0, 8}, {4096, 1024}).ok());
  const auto tensor = Place(Aligned(Matrix("M,K"), 16), {BufferId{1}, 0, 12}, {4096, 1024});
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(tensor.status()), HasSubstr("leading dimension 12 is not a multiple of 8 (16 bytes)"));
  EXPECT_TRUE(Place(Aligned(Matrix("M"), 16), {}, {4096, 1024}).ok());  // a vector of 8 is one line
}

TEST(PlaceTensorTest, RefusesALeadingDimensionThatOverflows) {
  const auto tensor =
      Place(Matrix("M,K"), {BufferId{1}, 0, std::numeric_limits<std::int64_t>::max() / 2}, {4096, 1024});
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kOutOfRange);
}

TEST(PlaceTensorTest, RefusesAnOffsetThatOverflows) {
  const auto tensor = Place(Matrix("M,K"), {BufferId{1}, std::numeric_limits<std::int64_t>::max(), 0}, {4096, 1024});
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kOutOfRange);
}

TEST(PlaceTensorTest, RefusesANegativeOffset) {
  EXPECT_EQ(Place(Matrix("M,K"), {BufferId{1}, -2, 0}, {4096, 1024}).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(PlaceTensorTest, HoldsThePlansAlignment) {
  EXPECT_TRUE(Place(Aligned(Matrix("M,N"), 16), {BufferId{1}, 16, 0}, {4096, 1024}).ok());
  const auto tensor = Place(Aligned(Matrix("M,N"), 16), {BufferId{1}, 8, 0}, {4096, 1024});
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(tensor.status()), HasSubstr("16 bytes"));
}

TEST(PlaceTensorTest, HoldsTheElementsAlignmentAtLeast) {
  EXPECT_TRUE(Place(Matrix("M,K"), {BufferId{1}, 2, 0}, {4096, 1024}).ok());
  EXPECT_FALSE(Place(Matrix("M,K"), {BufferId{1}, 1, 0}, {4096, 1024}).ok());
  EXPECT_FALSE(Place(Matrix("M,K", Layout::kRowMajor, DType::kF32), {BufferId{1}, 2, 0}, {4096, 1024}).ok());
}

TEST(PlaceTensorTest, AVectorHasNoLeadingDimension) {
  EXPECT_TRUE(Place(Matrix("N"), {BufferId{1}, 0, 16}, {4096, 32}).ok());
  EXPECT_FALSE(Place(Matrix("N"), {BufferId{1}, 0, 17}, {4096, 1024}).ok());
}

TEST(PlaceTensorTest, CallsATensorWithoutANameByItsIndex) {
  ManifestTensor tensor = Matrix("M");
  tensor.name.clear();
  const auto placed = PlaceTensor(tensor, "input", 3, kShape, {}, {4096, 1});
  EXPECT_THAT(MessageOf(placed.status()), HasSubstr("input 3:"));
}

TEST(PlaceTensorTest, RefusesExtentsItDoesNotKnow) {
  EXPECT_EQ(Place(Matrix("K,M"), {}, {4096, 1024}).status().code(), absl::StatusCode::kInternal);
}

// Two [M, N] tensors of f16 (16 elements a line) in one buffer.
CheckedTensor At(std::uint64_t address, std::int64_t leading_dimension = 16, bool full = true) {
  CheckedTensor tensor;
  tensor.name = "tensor";
  tensor.dtype = DType::kF16;
  tensor.full = full;
  tensor.placed = {address, 8, 16, leading_dimension};
  return tensor;
}

constexpr std::uint64_t kBytes = 8 * 16 * 2;

absl::Status Check(const std::vector<CheckedTensor>& inputs, const std::vector<CheckedTensor>& outputs) {
  return CheckOverlaps(inputs, outputs);
}

TEST(PlaceIntermediateTest, PadsLines) {
  ManifestTensor tensor;
  tensor.dtype = DType::kBf16;
  tensor.extents = "M,N";
  const auto leading_dimension = [&](std::int64_t n) {
    const auto placed = PlaceIntermediate(tensor, {.m = 3, .n = n, .k = 1}, 4096);
    EXPECT_TRUE(placed.ok()) << placed.status();
    EXPECT_EQ(placed->line_elements, n);
    EXPECT_EQ(BytesOf(*placed, tensor.dtype), 3 * 2 * placed->leading_dimension);
    return placed->leading_dimension;
  };
  EXPECT_EQ(leading_dimension(5), 8);  // to 16 bytes
  EXPECT_EQ(leading_dimension(511), 512);
  EXPECT_EQ(leading_dimension(513), 576);  // from 1024 bytes on to 128
  EXPECT_EQ(leading_dimension(576), 576);
}

TEST(PlaceIntermediateTest, RefusesWhatOverflows) {
  ManifestTensor tensor;
  tensor.extents = "M,N";
  const std::int64_t large = std::int64_t{1} << 40;
  EXPECT_EQ(PlaceIntermediate(tensor, {.m = large, .n = large, .k = 1}, 0).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(CheckOverlapsTest, AllowsNeighbours) {
  EXPECT_TRUE(Check({At(4096 - kBytes), At(4096 + kBytes)}, {At(4096)}).ok());
}

TEST(CheckOverlapsTest, RefusesAPartialOverlap) {
  EXPECT_FALSE(Check({At(4096 + kBytes - 2)}, {At(4096)}).ok());
  EXPECT_FALSE(Check({At(4096 - kBytes + 2)}, {At(4096)}).ok());
}

TEST(CheckOverlapsTest, AllowsAnOutputInPlaceOfOneFullOperand) { EXPECT_TRUE(Check({At(4096)}, {At(4096)}).ok()); }

TEST(CheckOverlapsTest, RefusesAnOutputOnTwoOperands) { EXPECT_FALSE(Check({At(4096), At(4096)}, {At(4096)}).ok()); }

TEST(CheckOverlapsTest, RefusesAnOutputInPlaceOfAMatrixOfTheProduct) {
  EXPECT_FALSE(Check({At(4096, 16, false)}, {At(4096)}).ok());
}

TEST(CheckOverlapsTest, RefusesAnOutputInPlaceOfAnotherType) {
  CheckedTensor input = At(4096);
  input.dtype = DType::kBf16;
  EXPECT_FALSE(Check({input}, {At(4096)}).ok());
}

TEST(CheckOverlapsTest, RefusesAnOutputInPlaceOfAnotherStride) { EXPECT_FALSE(Check({At(4096, 17)}, {At(4096)}).ok()); }

TEST(CheckOverlapsTest, RefusesOutputsInOnePlace) { EXPECT_FALSE(Check({}, {At(4096), At(4096)}).ok()); }

TEST(CheckOverlapsTest, LetsInputsOverlapEachOther) { EXPECT_TRUE(Check({At(4096), At(4098)}, {At(1 << 20)}).ok()); }

TEST(CheckOverlapsTest, TellsColumnSlicesOfOneMatrixApart) {
  EXPECT_TRUE(Check({At(4096 + 32, 32)}, {At(4096, 32)}).ok());
  EXPECT_TRUE(Check({At(4096, 32)}, {At(4096 + 32, 32)}).ok());
  EXPECT_FALSE(Check({At(4096 + 30, 32)}, {At(4096, 32)}).ok());
  EXPECT_FALSE(Check({At(4096 + 34, 32)}, {At(4096, 32)}).ok());
}

TEST(CheckOverlapsTest, IgnoresTensorsWithoutElements) {
  CheckedTensor empty = At(4096);
  empty.placed.lines = 0;
  EXPECT_TRUE(Check({empty}, {At(4096)}).ok());
}

}  // namespace
}  // namespace gemmd
