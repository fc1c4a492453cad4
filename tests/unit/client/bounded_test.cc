#include "client/verify/bounded.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gemmd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const NumberFormat kF16 = FormatOf(DType::kF16);
const NumberFormat kF32 = FormatOf(DType::kF32);

// Every unary operation in f32, as a careful kernel computes it.
float InF32(OpKind kind, float x) {
  switch (kind) {
    case OpKind::kRelu:
      return x < 0 ? 0 : x;
    case OpKind::kGeluErf:
      return 0.5f * x * (1 + std::erf(x * 0.70710678f));
    case OpKind::kGeluTanh:
      return 0.5f * x * (1 + std::tanh(0.79788456f * (x + 0.044715f * x * x * x)));
    case OpKind::kSilu:
      return x / (1 + std::exp(-x));
    case OpKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case OpKind::kTanh:
      return 1 - 2 / (std::exp(2 * x) + 1);
    default:
      return NAN;
  }
}

class UnaryBoundTest : public testing::TestWithParam<OpKind> {};

TEST_P(UnaryBoundTest, ContainsAnF32EvaluationOfAnInexactArgument) {
  for (double x = -30; x < 30; x += 0.0137) {
    const Bounded result = ApplyUnary(GetParam(), {x, 1e-5 + kF32Roundoff * std::abs(x)});
    for (const double shift : {-1e-5, 0.0, 1e-5}) {
      const float computed = InF32(GetParam(), static_cast<float>(x + shift));
      ASSERT_LE(std::abs(computed - result.value), result.error) << x;
    }
  }
}

TEST_P(UnaryBoundTest, StaysNearTheArgumentsError) {
  for (double x = -30; x < 30; x += 0.0137) {
    ASSERT_LE(ApplyUnary(GetParam(), {x, 1e-4}).error, 1.2e-4 + 0x1p-20 * (1 + std::abs(x)));
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, UnaryBoundTest,
                         testing::Values(OpKind::kRelu, OpKind::kGeluErf, OpKind::kGeluTanh, OpKind::kSilu,
                                         OpKind::kSigmoid, OpKind::kTanh),
                         [](const auto& test) {
                           const OpTraits& traits = Traits(test.param);
                           return std::string(traits.name) + std::string(traits.form);
                         });

TEST(BoundedTest, CoversTheMinimumInsideAnInterval) {
  const Bounded result = ApplyUnary(OpKind::kSilu, {-1.27846454, 0.5});
  EXPECT_GE(result.error, ApplyUnary(OpKind::kSilu, {-0.77846454, 0}).value - result.value);
}

TEST(BoundedTest, ProductsCarryBothErrors) {
  const Bounded product = ApplyBinary(OpKind::kMul, {3, 0.1}, {-5, 0.2});
  EXPECT_EQ(product.value, -15);
  EXPECT_NEAR(product.error, 0.1 * 5 + 3 * 0.2 + 0.02, 1e-5);
}

TEST(BoundedTest, CastOfACertainValueIsExact) {
  const Bounded result = ApplyCast({1.0001, 1e-6}, kF16);
  EXPECT_EQ(result.value, 1.0);
  EXPECT_EQ(result.error, 0);
}

TEST(BoundedTest, CastNearATieMayGoEitherWay) {
  const Bounded result = ApplyCast({1 + 0x1p-11, 1e-6}, kF16);
  EXPECT_EQ(result.value, 1.0);
  EXPECT_EQ(result.error, 0x1p-10);
}

TEST(BoundedTest, CertainOverflowIsInfinity) {
  EXPECT_EQ(ApplyBinary(OpKind::kMul, {-3e38, 0}, {10, 0}).value, -kInfinity);
  EXPECT_EQ(ApplyCast({70000, 1}, kF16).value, kInfinity);
}

TEST(CompareTest, AStoreMayRoundByHalfASpacing) {
  EXPECT_TRUE(Compare(1.0, {1 + 0x1p-11, 0}, kF16).matches);
  EXPECT_FALSE(Compare(1.0, {1 + 0x1.1p-11, 0}, kF16).matches);
  EXPECT_TRUE(Compare(1.0, {1 + 0x1.1p-11, 0x1p-14}, kF16).matches);
  EXPECT_TRUE(Compare(0.0, {0x1p-25, 0}, kF16).matches);
}

TEST(CompareTest, RatioTellsHowFarOff) { EXPECT_DOUBLE_EQ(Compare(2.5, {2, 0.25 - 0x1p-23}, kF32).ratio, 2); }

TEST(CompareTest, NanMatchesNanAlone) {
  EXPECT_TRUE(Compare(kNan, {kNan, 0}, kF32).matches);
  EXPECT_FALSE(Compare(1, {kNan, 0}, kF32).matches);
  EXPECT_FALSE(Compare(kNan, {1, kInfinity}, kF32).matches);
  EXPECT_EQ(Compare(kNan, {1, 1}, kF32).ratio, kInfinity);
}

TEST(CompareTest, InfinityMatchesWhereTheFormatOverflows) {
  EXPECT_TRUE(Compare(kInfinity, {65530, 1}, kF16).matches);
  EXPECT_TRUE(Compare(kInfinity, {65519, 2}, kF16).matches);
  EXPECT_TRUE(Compare(65504, {65519, 2}, kF16).matches);
  EXPECT_FALSE(Compare(65504, {65530, 1}, kF16).matches);
  EXPECT_FALSE(Compare(kInfinity, {65000, 1}, kF16).matches);
  EXPECT_FALSE(Compare(-kInfinity, {70000, 1}, kF16).matches);
  EXPECT_TRUE(Compare(-kInfinity, {-kInfinity, 0}, kF32).matches);
}

}  // namespace
}  // namespace gemmd
