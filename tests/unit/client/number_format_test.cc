#include "client/tensor/number_format.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace gemmd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(NumberFormatTest, EveryF16SurvivesARoundTrip) {
  const NumberFormat format = FormatOf(DType::kF16);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const double value = DecodeNumber(bits, format);
    if (std::isnan(value)) continue;
    ASSERT_EQ(EncodeNumber(value, format), bits);
  }
}

TEST(NumberFormatTest, KnowsF16Landmarks) {
  const NumberFormat format = FormatOf(DType::kF16);
  EXPECT_EQ(DecodeNumber(0x3c00, format), 1.0);
  EXPECT_EQ(DecodeNumber(0xc000, format), -2.0);
  EXPECT_EQ(DecodeNumber(0x7bff, format), 65504.0);
  EXPECT_EQ(DecodeNumber(0x0001, format), 0x1p-24);
  EXPECT_EQ(DecodeNumber(0x0400, format), 0x1p-14);
  EXPECT_EQ(DecodeNumber(0xfc00, format), -kInfinity);
  EXPECT_TRUE(std::isnan(DecodeNumber(0x7e00, format)));
}

TEST(NumberFormatTest, RoundsF16TiesToEven) {
  const NumberFormat format = FormatOf(DType::kF16);
  EXPECT_EQ(EncodeNumber(1 + 0x1p-11, format), 0x3c00u);
  EXPECT_EQ(EncodeNumber(1 + 0x3p-11, format), 0x3c02u);
  EXPECT_EQ(EncodeNumber(1 + 0x1p-11 + 0x1p-40, format), 0x3c01u);
  EXPECT_EQ(EncodeNumber(0x1p-25, format), 0u);
  EXPECT_EQ(EncodeNumber(0x1p-25 + 0x1p-60, format), 1u);
  EXPECT_EQ(EncodeNumber(-0x1p-30, format), 0x8000u);
}

TEST(NumberFormatTest, OverflowsF16AtTheHalfwayPoint) {
  const NumberFormat format = FormatOf(DType::kF16);
  EXPECT_EQ(OverflowThreshold(format), 65520.0);
  EXPECT_EQ(EncodeNumber(65519.999, format), 0x7bffu);
  EXPECT_EQ(EncodeNumber(65520.0, format), 0x7c00u);
  EXPECT_EQ(EncodeNumber(-1e300, format), 0xfc00u);
}

TEST(NumberFormatTest, RoundsToF32AsTheHardwareDoes) {
  const NumberFormat format = FormatOf(DType::kF32);
  double value = 1e-46;
  for (int i = 0; i < 4000; ++i, value *= 1.0451) {
    ASSERT_EQ(EncodeNumber(value, format), std::bit_cast<std::uint32_t>(static_cast<float>(value))) << value;
  }
}

TEST(NumberFormatTest, Bf16IsTheUpperHalfOfF32) {
  const NumberFormat format = FormatOf(DType::kBf16);
  for (std::uint32_t bits = 0; bits < 0x7f80; ++bits) {
    ASSERT_EQ(DecodeNumber(bits, format), std::bit_cast<float>(bits << 16));
  }
}

TEST(NumberFormatTest, BulkDecodingAgreesWithSingleNumbers) {
  for (const DType dtype : {DType::kF16, DType::kBf16}) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
      std::array<std::byte, 2> bytes;
      const auto half = static_cast<std::uint16_t>(bits);
      std::memcpy(bytes.data(), &half, 2);
      const double bulk = DecodeElement(bytes, dtype, 0), single = DecodeNumber(bits, FormatOf(dtype));
      ASSERT_TRUE(bulk == single || (std::isnan(bulk) && std::isnan(single))) << bits;
    }
  }
}

TEST(NumberFormatTest, BulkDecodingReadsF32) {
  for (const float value : {0.0f, -0.0f, 1.5f, -3e-41f, 3.4e38f}) {
    std::array<std::byte, 4> bytes;
    std::memcpy(bytes.data(), &value, 4);
    EXPECT_EQ(DecodeElement(bytes, DType::kF32, 0), static_cast<double>(value));
  }
}

TEST(NumberFormatTest, HalfSpacingFollowsTheExponent) {
  const NumberFormat format = FormatOf(DType::kF16);
  EXPECT_EQ(HalfSpacing(1.0, format), 0x1p-11);
  EXPECT_EQ(HalfSpacing(-1.999, format), 0x1p-11);
  EXPECT_EQ(HalfSpacing(2.0, format), 0x1p-10);
  EXPECT_EQ(HalfSpacing(0.0, format), 0x1p-25);
  EXPECT_EQ(HalfSpacing(kInfinity, format), kInfinity);
}

}  // namespace
}  // namespace gemmd
