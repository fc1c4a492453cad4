#include "runtime/pointwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace gemmd {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float Unary(OpKind kind, float x) {
  float out = 0;
  EvaluateUnary(kind, {&x, 1}, {&out, 1});
  return out;
}

double Reference(OpKind kind, double x) {
  switch (kind) {
    case OpKind::kRelu:
      return x > 0 ? x : 0;
    case OpKind::kGeluErf:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case OpKind::kGeluTanh:
      return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case OpKind::kSilu:
      return x / (1 + std::exp(-x));
    case OpKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case OpKind::kTanh:
      return std::tanh(x);
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kCast:
    case OpKind::kStore:
      break;
  }
  return NAN;
}

class UnaryTest : public ::testing::TestWithParam<OpKind> {};

TEST_P(UnaryTest, AgreesWithDoublePrecision) {
  for (float x = -12.0f; x <= 12.0f; x += 0.03125f) {
    const double expected = Reference(GetParam(), x);
    // The exponential's own argument is rounded: a relative error of a few |x| units.
    EXPECT_NEAR(Unary(GetParam(), x), expected, (8 + 40 * std::abs(x)) * 0x1p-24 * std::abs(expected) + 1e-37) << x;
  }
}

TEST_P(UnaryTest, PropagatesNaN) { EXPECT_TRUE(std::isnan(Unary(GetParam(), NAN))); }

// The activations are products with a factor that is 0 there: NaN, as in PyTorch. The others have limits.
TEST_P(UnaryTest, TakesInfinitiesAsItsFormulaDoes) {
  const double below = Reference(GetParam(), -kInfinity), above = Reference(GetParam(), kInfinity);
  EXPECT_EQ(Unary(GetParam(), kInfinity), above);
  if (std::isnan(below)) {
    EXPECT_TRUE(std::isnan(Unary(GetParam(), -kInfinity)));
  } else {
    EXPECT_EQ(Unary(GetParam(), -kInfinity), below);
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, UnaryTest,
                         ::testing::Values(OpKind::kRelu, OpKind::kGeluErf, OpKind::kGeluTanh, OpKind::kSilu,
                                           OpKind::kSigmoid, OpKind::kTanh),
                         [](const auto& test) { return std::string(Traits(test.param).functor); });

TEST(PointwiseTest, BinaryTakesAnArrayOrOneValue) {
  const std::vector<float> in = {1, 2, 3};
  const std::vector<float> argument = {10, 20, 30};
  std::vector<float> out(3);
  EvaluateBinary(OpKind::kSub, in, argument, out);
  EXPECT_EQ(out, (std::vector<float>{-9, -18, -27}));
  EvaluateBinary(OpKind::kAdd, in, 0.5f, out);
  EXPECT_EQ(out, (std::vector<float>{1.5f, 2.5f, 3.5f}));
  EvaluateBinary(OpKind::kMul, out, 2.0f, out);
  EXPECT_EQ(out, (std::vector<float>{3, 5, 7}));
}

float Rounded(DType dtype, float x) {
  float out = 0;
  RoundTo(dtype, {&x, 1}, {&out, 1});
  return out;
}

TEST(RoundToTest, RoundsTiesToEven) {
  EXPECT_EQ(Rounded(DType::kF16, 1.0f + 0x1p-11f), 1.0f);
  EXPECT_EQ(Rounded(DType::kF16, 1.0f + 0x3p-11f), 1.0f + 0x1p-9f);
  EXPECT_EQ(Rounded(DType::kBf16, 1.0f + 0x1p-8f), 1.0f);
  EXPECT_EQ(Rounded(DType::kBf16, 1.0f + 0x3p-8f), 1.0f + 0x1p-6f);
  EXPECT_EQ(Rounded(DType::kF32, 1.0f + 0x1p-23f), 1.0f + 0x1p-23f);
}

TEST(RoundToTest, KeepsTheEdgesOfF16) {
  EXPECT_EQ(Rounded(DType::kF16, 65504.0f), 65504.0f);
  EXPECT_EQ(Rounded(DType::kF16, 65520.0f), kInfinity);
  EXPECT_EQ(Rounded(DType::kF16, 0x1p-24f), 0x1p-24f);  // the least subnormal
  EXPECT_EQ(Rounded(DType::kF16, 0x1p-26f), 0.0f);
  EXPECT_TRUE(std::isnan(Rounded(DType::kF16, NAN)));
  EXPECT_TRUE(std::isnan(Rounded(DType::kBf16, NAN)));
}

}  // namespace
}  // namespace gemmd
