#include "runtime/pointwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

namespace gemmd {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float Unary(OpKind kind, std::vector<float> params, float x) {
  float out = 0;
  EvaluateUnary(kind, params, {&x, 1}, {&out, 1});
  return out;
}

float Binary(OpKind kind, float x, float y) {
  float out = 0;
  EvaluateBinary(kind, {&x, 1}, y, {&out, 1});
  return out;
}

// |computed - expected| <= a few roundings of the value, of an exponent of |x|, or of a sum of order 1.
struct UnaryCase {
  OpKind kind;
  std::vector<float> params;
  double (*reference)(double x);
};

double Phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

const UnaryCase kUnary[] = {
    {OpKind::kRelu, {}, [](double x) { return std::max(x, 0.0); }},
    {OpKind::kRelu2, {}, [](double x) { return std::max(x, 0.0) * std::max(x, 0.0); }},
    {OpKind::kLeakyRelu, {0.25f}, [](double x) { return std::max(x, 0.25 * x); }},
    {OpKind::kElu, {0.5f}, [](double x) { return x > 0 ? x : 0.5 * std::expm1(x); }},
    {OpKind::kClamp, {-2.0f, 3.0f}, [](double x) { return std::min(std::max(x, -2.0), 3.0); }},
    {OpKind::kGeluErf, {}, [](double x) { return x * Phi(x); }},
    {OpKind::kGeluTanh, {}, [](double x) { return x * Sigmoid(std::sqrt(8 / M_PI) * (x + 0.044715 * x * x * x)); }},
    {OpKind::kQuickGelu, {}, [](double x) { return x * Sigmoid(1.702 * x); }},
    {OpKind::kSilu, {}, [](double x) { return x * Sigmoid(x); }},
    {OpKind::kHardswish, {}, [](double x) { return x * std::min(std::max(x + 3, 0.0), 6.0) / 6; }},
    {OpKind::kSigmoid, {}, Sigmoid},
    {OpKind::kTanh, {}, [](double x) { return std::tanh(x); }},
    {OpKind::kSoftcap, {5.0f}, [](double x) { return 5 * std::tanh(x / 5); }},
    {OpKind::kSoftplus, {}, [](double x) { return std::log1p(std::exp(x)); }},
    {OpKind::kErf, {}, [](double x) { return std::erf(x); }},
    {OpKind::kExp, {}, [](double x) { return std::exp(x); }},
    {OpKind::kLog, {}, [](double x) { return std::log(x); }},
    {OpKind::kSqrt, {}, [](double x) { return std::sqrt(x); }},
    {OpKind::kRsqrt, {}, [](double x) { return 1 / std::sqrt(x); }},
    {OpKind::kAbs, {}, [](double x) { return x < 0 ? -x : x; }},
    {OpKind::kNeg, {}, [](double x) { return 0 - x; }},
    {OpKind::kSquare, {}, [](double x) { return x * x; }},
};

class UnaryTest : public ::testing::TestWithParam<UnaryCase> {};

TEST_P(UnaryTest, AgreesWithDoublePrecision) {
  const auto& [kind, params, reference] = GetParam();
  for (float x = -12.0f; x <= 12.0f; x += 0.03125f) {
    const double expected = reference(x);
    const double got = Unary(kind, params, x);
    if (!std::isfinite(expected)) {
      EXPECT_TRUE(std::isnan(expected) ? std::isnan(got) : got == expected) << x;
      continue;
    }
    // The exponential's own argument is rounded: a relative error of a few |x| units.
    EXPECT_NEAR(got, expected, (8 + 40 * std::abs(x)) * 0x1p-24 * std::abs(expected) + 1e-37) << x;
  }
}

TEST_P(UnaryTest, PropagatesNaN) { EXPECT_TRUE(std::isnan(Unary(GetParam().kind, GetParam().params, NAN))); }

// The activations are products with a factor that is 0 there: NaN, as in PyTorch. The others have limits.
TEST_P(UnaryTest, TakesInfinitiesAsItsFormulaDoes) {
  const auto& [kind, params, reference] = GetParam();
  const double below = reference(-kInfinity), above = reference(kInfinity);
  EXPECT_EQ(Unary(kind, params, kInfinity), above);
  if (std::isnan(below)) {
    EXPECT_TRUE(std::isnan(Unary(kind, params, -kInfinity)));
  } else {
    EXPECT_EQ(Unary(kind, params, -kInfinity), below);
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, UnaryTest, ::testing::ValuesIn(kUnary),
                         [](const auto& test) { return std::string(Traits(test.param.kind).functor); });

TEST(PointwiseTest, EveryUnaryOperationHasACase) {
  for (const OpTraits& row : OpTable()) {
    if (row.op_class != OpClass::kUnary) continue;
    EXPECT_TRUE(std::any_of(std::begin(kUnary), std::end(kUnary), [&](const UnaryCase& c) {
      return c.kind == row.kind && c.params.size() == row.params.size();
    })) << row.name;
  }
}

TEST(PointwiseTest, LargeArgumentsOverflowNowhereInBetween) {
  EXPECT_EQ(Unary(OpKind::kSoftplus, {}, 1e4f), 1e4f);
  EXPECT_EQ(Unary(OpKind::kSoftplus, {}, -1e4f), 0.0f);
  EXPECT_EQ(Unary(OpKind::kElu, {1.0f}, -1e4f), -1.0f);
  EXPECT_EQ(Unary(OpKind::kQuickGelu, {}, -1e4f), 0.0f);
  EXPECT_EQ(Unary(OpKind::kSoftcap, {30.0f}, 3e38f), 30.0f);
  EXPECT_EQ(Unary(OpKind::kClamp, {0.0f, kInfinity}, kInfinity), kInfinity);
}

TEST(PointwiseTest, MaxAndMinPropagateNaNOfEither) {
  for (const OpKind kind : {OpKind::kMax, OpKind::kMin}) {
    EXPECT_TRUE(std::isnan(Binary(kind, NAN, 1.0f)));
    EXPECT_TRUE(std::isnan(Binary(kind, 1.0f, NAN)));
  }
  EXPECT_EQ(Binary(OpKind::kMax, 2.0f, -3.0f), 2.0f);
  EXPECT_EQ(Binary(OpKind::kMin, 2.0f, -3.0f), -3.0f);
}

TEST(PointwiseTest, DividesAsIeeeDoes) {
  EXPECT_EQ(Binary(OpKind::kDiv, 1.0f, 3.0f), 1.0f / 3.0f);
  EXPECT_EQ(Binary(OpKind::kDiv, 1.0f, 0.0f), kInfinity);
  EXPECT_TRUE(std::isnan(Binary(OpKind::kDiv, 0.0f, 0.0f)));
}

TEST(PointwiseTest, BackwardIsTheSlopeOfForward) {
  for (const auto& [backward, forward] :
       {std::pair(OpKind::kDGeluErf, OpKind::kGeluErf), std::pair(OpKind::kDGeluTanh, OpKind::kGeluTanh),
        std::pair(OpKind::kDSilu, OpKind::kSilu)}) {
    const auto* row = std::find_if(std::begin(kUnary), std::end(kUnary),
                                   [kind = forward](const UnaryCase& c) { return c.kind == kind; });
    for (double y = -30; y <= 30; y += 0.0625) {
      const double slope = (row->reference(y + 1e-5) - row->reference(y - 1e-5)) / 2e-5;
      EXPECT_NEAR(Binary(backward, 3.0f, static_cast<float>(y)), 3 * slope, 5e-6) << y;
    }
    EXPECT_EQ(Binary(backward, 3.0f, 1e30f), 3.0f);
    EXPECT_EQ(Binary(backward, 3.0f, -1e30f), 0.0f);
  }
}

TEST(PointwiseTest, DReluPassesWhereItsArgumentIsPositive) {
  EXPECT_EQ(Binary(OpKind::kDRelu, 3.0f, 0.5f), 3.0f);
  EXPECT_EQ(Binary(OpKind::kDRelu, 3.0f, 0.0f), 0.0f);
  EXPECT_EQ(Binary(OpKind::kDRelu, NAN, -1.0f), 0.0f);
}

TEST(PointwiseTest, ComparisonsGiveOneOrZero) {
  struct Outcome {
    OpKind kind;
    float below, equal, above;
  };
  for (const Outcome& outcome :
       {Outcome{OpKind::kEq, 0, 1, 0}, Outcome{OpKind::kNe, 1, 0, 1}, Outcome{OpKind::kLt, 1, 0, 0},
        Outcome{OpKind::kLe, 1, 1, 0}, Outcome{OpKind::kGt, 0, 0, 1}, Outcome{OpKind::kGe, 0, 1, 1}}) {
    EXPECT_EQ(Binary(outcome.kind, -1.0f, 2.0f), outcome.below);
    EXPECT_EQ(Binary(outcome.kind, 2.0f, 2.0f), outcome.equal);
    EXPECT_EQ(Binary(outcome.kind, 3.0f, 2.0f), outcome.above);
    EXPECT_EQ(Binary(outcome.kind, 0.0f, -0.0f), outcome.equal);
    for (const float other : {NAN, 2.0f}) {  // NaN differs from itself too, and is neither less nor more
      EXPECT_EQ(Binary(outcome.kind, NAN, other), outcome.kind == OpKind::kNe ? 1.0f : 0.0f);
      EXPECT_EQ(Binary(outcome.kind, other, NAN), outcome.kind == OpKind::kNe ? 1.0f : 0.0f);
    }
  }
}

TEST(PointwiseTest, GatesMultiplyByTheActivationOfTheFirstHalf) {
  for (const OpTraits& row : OpTable()) {
    if (row.op_class != OpClass::kGate) continue;
    for (float x = -6.0f; x <= 6.0f; x += 0.25f) {
      const float y = 0.75f - x;
      float out = 0;
      EvaluateGate(row.kind, {&x, 1}, {&y, 1}, {&out, 1});
      EXPECT_EQ(out, Unary(ActivationOf(row.kind), {}, x) * y) << row.name << " " << row.form << " " << x;
    }
  }
}

TEST(PointwiseTest, WhereTakesWhatIsNotZeroForTrue) {
  const std::vector<float> condition = {0.0f, -0.0f, 1.0f, -2.0f, NAN, 0x1p-149f}, in(6, 1.0f), otherwise(6, NAN);
  std::vector<float> out(6);
  EvaluateWhere(condition, in, otherwise, out);
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isnan(out[i]), i < 2) << i;
}

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
