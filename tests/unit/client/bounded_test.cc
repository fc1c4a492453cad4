#include "client/verify/bounded.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

namespace gemmd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const NumberFormat kF16 = FormatOf(DType::kF16);
const NumberFormat kF32 = FormatOf(DType::kF32);

// A unary operation in f32, as a careful kernel computes it, over the arguments where it is tame.
struct UnaryCase {
  OpKind kind;
  std::vector<float> params;
  float (*in_f32)(float x);
  double steepest = 1.2;  // its largest slope there
  double low = -30, high = 30;
};

const UnaryCase kUnary[] = {
    {OpKind::kRelu, {}, [](float x) { return x < 0 ? 0 : x; }},
    {OpKind::kRelu2, {}, [](float x) { return x < 0 ? 0 : x * x; }, 61},
    {OpKind::kLeakyRelu, {-0.3f}, [](float x) { return x > 0 ? x : -0.3f * x; }},
    {OpKind::kElu, {1.1f}, [](float x) { return x > 0 ? x : 1.1f * std::expm1(x); }},
    {OpKind::kClamp, {-1.0f, 6.0f}, [](float x) { return std::clamp(x, -1.0f, 6.0f); }},
    {OpKind::kGeluErf, {}, [](float x) { return 0.5f * x * (1 + std::erf(x * 0.70710678f)); }},
    {OpKind::kGeluTanh,
     {},
     [](float x) { return 0.5f * x * (1 + std::tanh(0.79788456f * (x + 0.044715f * x * x * x))); }},
    {OpKind::kQuickGelu, {}, [](float x) { return x / (1 + std::exp(-1.702f * x)); }},
    {OpKind::kSilu, {}, [](float x) { return x / (1 + std::exp(-x)); }},
    {OpKind::kHardswish, {}, [](float x) { return x * std::clamp(x + 3, 0.0f, 6.0f) * (1 / 6.0f); }, 1.6},
    {OpKind::kSigmoid, {}, [](float x) { return 1 / (1 + std::exp(-x)); }},
    {OpKind::kTanh, {}, [](float x) { return 1 - 2 / (std::exp(2 * x) + 1); }},
    {OpKind::kSoftcap, {15.0f}, [](float x) { return 15 * std::tanh(x * (1 / 15.0f)); }},
    {OpKind::kSoftplus, {}, [](float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); }},
    {OpKind::kErf, {}, [](float x) { return std::erf(x); }},
    {OpKind::kExp, {}, [](float x) { return std::exp(x); }, 160, -30, 5},
    {OpKind::kLog, {}, [](float x) { return std::log(x); }, 4.1, 0.25, 30},
    {OpKind::kSqrt, {}, [](float x) { return std::sqrt(x); }, 1.1, 0.25, 30},
    {OpKind::kRsqrt, {}, [](float x) { return 1 / std::sqrt(x); }, 4.1, 0.25, 30},
    {OpKind::kAbs, {}, [](float x) { return std::abs(x); }},
    {OpKind::kNeg, {}, [](float x) { return -x; }},
    {OpKind::kSquare, {}, [](float x) { return x * x; }, 61},
};

Bounded Apply(const UnaryCase& c, const Bounded& x) { return ApplyUnary(c.kind, c.params, x); }

class UnaryBoundTest : public testing::TestWithParam<UnaryCase> {};

TEST_P(UnaryBoundTest, ContainsAnF32EvaluationOfAnInexactArgument) {
  for (double x = GetParam().low; x < GetParam().high; x += 0.0137) {
    const Bounded result = Apply(GetParam(), {x, 1e-5 + kF32Roundoff * std::abs(x)});
    for (const double shift : {-1e-5, 0.0, 1e-5}) {
      const float computed = GetParam().in_f32(static_cast<float>(x + shift));
      ASSERT_LE(std::abs(computed - result.value), result.error) << x;
    }
  }
}

TEST_P(UnaryBoundTest, StaysNearTheArgumentsError) {
  for (double x = GetParam().low; x < GetParam().high; x += 0.0137) {
    const Bounded result = Apply(GetParam(), {x, 1e-4});
    ASSERT_LE(result.error, GetParam().steepest * 1e-4 + 0x1p-20 * (1 + std::abs(x) + std::abs(result.value)));
  }
}

TEST_P(UnaryBoundTest, KeepsNaN) { EXPECT_TRUE(std::isnan(Apply(GetParam(), {kNan, 0}).value)); }

INSTANTIATE_TEST_SUITE_P(Operations, UnaryBoundTest, testing::ValuesIn(kUnary),
                         [](const auto& test) { return std::string(Traits(test.param.kind).functor); });

TEST(BoundedTest, EveryUnaryOperationHasACase) {
  for (const OpTraits& row : OpTable()) {
    if (row.op_class != OpClass::kUnary) continue;
    EXPECT_TRUE(std::any_of(std::begin(kUnary), std::end(kUnary), [&](const UnaryCase& c) {
      return c.kind == row.kind;
    })) << row.name;
  }
}

TEST(BoundedTest, CoversTheMinimumInsideAnInterval) {
  const auto silu = [](double x, double error) { return ApplyUnary(OpKind::kSilu, {}, {x, error}); };
  EXPECT_GE(silu(-1.27846454, 0.5).error, silu(-0.77846454, 0).value - silu(-1.27846454, 0.5).value);
  EXPECT_GE(ApplyUnary(OpKind::kSquare, {}, {0.1, 0.1}).error, 0.03);
  EXPECT_GE(ApplyUnary(OpKind::kAbs, {}, {0.05, 0.1}).error, 0.1);
}

TEST(BoundedTest, WhatMayLeaveTheDomainIsUndetermined) {
  for (const OpKind kind : {OpKind::kLog, OpKind::kSqrt, OpKind::kRsqrt}) {
    EXPECT_TRUE(ApplyUnary(kind, {}, {1e-6, 1e-5}).undetermined);
    EXPECT_TRUE(ApplyUnary(kind, {}, {-1e-6, 1e-5}).undetermined);
    EXPECT_FALSE(ApplyUnary(kind, {}, {1e-4, 1e-5}).undetermined);
    EXPECT_TRUE(std::isnan(ApplyUnary(kind, {}, {-1e-4, 1e-5}).value));
    EXPECT_FALSE(ApplyUnary(kind, {}, {-1e-4, 1e-5}).undetermined);
  }
  EXPECT_EQ(ApplyUnary(OpKind::kLog, {}, {0, 0}).value, -kInfinity);
}

TEST(BoundedTest, WhatIsUndeterminedStaysSoAndMatchesAnything) {
  const Bounded unknown = ApplyBinary(OpKind::kDiv, {1, 0}, {0.1, 0.2});
  EXPECT_TRUE(unknown.undetermined);
  EXPECT_TRUE(ApplyBinary(OpKind::kAdd, {1, 0}, unknown).undetermined);
  EXPECT_TRUE(ApplyUnary(OpKind::kTanh, {}, unknown).undetermined);
  EXPECT_TRUE(ApplyCast(unknown, kF16).undetermined);
  EXPECT_TRUE(Compare(kNan, unknown, kF16).matches);
  EXPECT_TRUE(Compare(-3, unknown, kF16).matches);
}

TEST(BoundedTest, QuotientsCarryBothErrors) {
  const Bounded quotient = ApplyBinary(OpKind::kDiv, {6, 0.1}, {-2, 0.5});
  EXPECT_EQ(quotient.value, -3);
  EXPECT_GE(quotient.error, 6.1 / 1.5 - 3);
  EXPECT_LE(quotient.error, 6.1 / 1.5 - 3 + 1e-5);
  EXPECT_EQ(ApplyBinary(OpKind::kDiv, {6, 0.1}, {0, 0}).value, kInfinity);
  EXPECT_TRUE(ApplyBinary(OpKind::kDiv, {0.05, 0.1}, {0, 0}).undetermined);
}

TEST(BoundedTest, TheLargerAndTheSmallerAreExact) {
  EXPECT_EQ(ApplyBinary(OpKind::kMax, {3, 0.1}, {1, 0.5}).error, ApplyBinary(OpKind::kMax, {3, 0.1}, {0, 0}).error);
  EXPECT_NEAR(ApplyBinary(OpKind::kMax, {3, 0.1}, {2.9, 0.5}).error, 0.4, 1e-12);
  EXPECT_EQ(ApplyBinary(OpKind::kMin, {3, 0.1}, {1, 0}).value, 1);
  EXPECT_EQ(ApplyBinary(OpKind::kMin, {3, 0.1}, {1, 0}).error, 0);
  EXPECT_TRUE(std::isnan(ApplyBinary(OpKind::kMax, {3, 0}, {kNan, 0}).value));
}

TEST(BoundedTest, AGradientIsItsArgumentTimesTheSlope) {
  EXPECT_NEAR(ApplyBinary(OpKind::kDSilu, {2, 0}, {0, 0}).value, 1, 1e-12);
  EXPECT_NEAR(ApplyBinary(OpKind::kDGeluErf, {2, 0}, {1, 0}).value, 2 * 1.0833154705876864, 1e-12);
  EXPECT_NEAR(ApplyBinary(OpKind::kDGeluTanh, {2, 0}, {1, 0}).value, 2 * 1.0829640838457826, 1e-12);
  for (const OpKind kind : {OpKind::kDSilu, OpKind::kDGeluErf, OpKind::kDGeluTanh}) {
    const Bounded gradient = ApplyBinary(kind, {2, 0.01}, {0.5, 0.01});
    const Bounded shifted = ApplyBinary(kind, {2.01, 0}, {0.51, 0});
    EXPECT_LE(std::abs(shifted.value - gradient.value), gradient.error);
    EXPECT_LE(gradient.error, 0.035);
  }
}

TEST(BoundedTest, DReluMayGoEitherWayAtZero) {
  EXPECT_EQ(ApplyBinary(OpKind::kDRelu, {2, 0.1}, {1, 0.5}).error, 0.1);
  EXPECT_EQ(ApplyBinary(OpKind::kDRelu, {2, 0.1}, {-1, 0.5}).error, 0);
  EXPECT_GE(ApplyBinary(OpKind::kDRelu, {2, 0.1}, {0.1, 0.5}).error, 2);
  EXPECT_EQ(ApplyBinary(OpKind::kDRelu, {kNan, 0}, {-1, 0}).value, 0);
}

TEST(BoundedTest, ComparisonsAreCertainWhereTheIntervalsAreApart) {
  struct Outcome {
    OpKind kind;
    double below, equal, above;
  };
  for (const Outcome& outcome :
       {Outcome{OpKind::kEq, 0, 1, 0}, Outcome{OpKind::kNe, 1, 0, 1}, Outcome{OpKind::kLt, 1, 0, 0},
        Outcome{OpKind::kLe, 1, 1, 0}, Outcome{OpKind::kGt, 0, 0, 1}, Outcome{OpKind::kGe, 0, 1, 1}}) {
    const auto expect = [&](const Bounded& x, const Bounded& y, double truth) {
      const Bounded result = ApplyBinary(outcome.kind, x, y);
      EXPECT_EQ(result.value, truth);
      EXPECT_EQ(result.error, 0);
    };
    expect({1, 0.4}, {2, 0.5}, outcome.below);
    expect({-kInfinity, 0}, {2, 0.5}, outcome.below);
    expect({2, 0}, {2, 0}, outcome.equal);
    expect({3, 0.4}, {2, 0.5}, outcome.above);
    expect({kNan, 0}, {2, 0.5}, outcome.kind == OpKind::kNe);
    expect({2, 0}, {kNan, 0}, outcome.kind == OpKind::kNe);
  }
}

TEST(BoundedTest, ComparisonsCoverBothOutcomesNearTheThreshold) {
  for (const OpKind kind : {OpKind::kEq, OpKind::kNe, OpKind::kLt, OpKind::kLe, OpKind::kGt, OpKind::kGe}) {
    for (const Bounded& x : {Bounded{1.9, 0.2}, Bounded{2, 0.1}, Bounded{2.1, 0.2}, Bounded{0, kInfinity, true}}) {
      const Bounded result = ApplyBinary(kind, x, {2, 0});
      EXPECT_FALSE(result.undetermined);
      EXPECT_TRUE(Compare(0, result, kF16).matches);
      EXPECT_TRUE(Compare(1, result, kF16).matches);
      EXPECT_FALSE(Compare(1.25, result, kF16).matches);
    }
  }
  EXPECT_EQ(ApplyBinary(OpKind::kLe, {1.5, 0.5}, {2, 0}).error, 0);
  EXPECT_NE(ApplyBinary(OpKind::kLt, {1.5, 0.5}, {2, 0}).error, 0);
}

TEST(BoundedTest, WhereTakesOneSideOrCoversBoth) {
  const Bounded x{3, 0.1}, y{-1, 0.2}, unknown{0, kInfinity, true};
  EXPECT_EQ(ApplyWhere({1, 0.5}, x, y).value, 3);
  EXPECT_EQ(ApplyWhere({kNan, 0}, x, y).value, 3);
  EXPECT_EQ(ApplyWhere({0, 0}, x, y).value, -1);
  EXPECT_FALSE(ApplyWhere({0, 0}, unknown, y).undetermined);
  EXPECT_TRUE(ApplyWhere({0, 0}, x, unknown).undetermined);
  for (const Bounded& condition : {Bounded{0.1, 0.2}, unknown}) {
    const Bounded both = ApplyWhere(condition, x, y);
    EXPECT_NEAR(both.value - both.error, -1.2, 1e-12);
    EXPECT_NEAR(both.value + both.error, 3.1, 1e-12);
    EXPECT_TRUE(ApplyWhere(condition, {kNan, 0}, y).undetermined);
    EXPECT_TRUE(std::isnan(ApplyWhere(condition, {kNan, 0}, {kNan, 0}).value));
    const Bounded finite_or_not = ApplyWhere(condition, {kInfinity, 0}, y);
    EXPECT_TRUE(Compare(kInfinity, finite_or_not, kF16).matches);
    EXPECT_TRUE(Compare(-1, finite_or_not, kF16).matches);
    EXPECT_FALSE(Compare(kNan, finite_or_not, kF16).matches);
  }
}

TEST(BoundedTest, GatesCarryTheErrorsOfBothHalves) {
  const Bounded gated = ApplyGate(OpKind::kReglu, {3, 0.1}, {-5, 0.2});
  EXPECT_EQ(gated.value, -15);
  EXPECT_NEAR(gated.error, 0.1 * 5 + 3 * 0.2 + 0.02, 1e-5);
  EXPECT_EQ(ApplyGate(OpKind::kReglu, {-3, 0.1}, {-5, 0.2}).value, 0);
  EXPECT_NEAR(ApplyGate(OpKind::kSwiglu, {1, 0}, {2, 0}).value, 2 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(ApplyGate(OpKind::kGegluErf, {1, 0}, {2, 0}).value, 1 + std::erf(std::sqrt(0.5)), 1e-12);
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
