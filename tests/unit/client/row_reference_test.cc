// The bounds of the operations that go along rows: they hold plain f32 evaluations, and little else.
#include "client/verify/row_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Floats = std::vector<float>;
using Row = std::vector<Bounded>;

Row Exactly(const std::vector<double>& values) {
  Row row;
  for (const double value : values) row.push_back({value, 0});
  return row;
}

std::vector<float> ParamsOf(OpKind kind) { return gemmd::ParamsOf({.kind = kind}); }
Row Normalized(OpKind kind, const Row& row) { return NormalizedRow(kind, ParamsOf(kind), row); }
Bounded Reduced(OpKind kind, const Row& row) { return ReducedRow(kind, ParamsOf(kind), row); }

// One after the other, in f32, as a careless but correct kernel does.
struct InF32 {
  explicit InF32(const Floats& row) : n(static_cast<float>(row.size())) {
    float count = 0;
    for (const float x : row) {
      sum += x;
      squares += x * x;
      max = std::max(max, x);
      min = std::min(min, x);
      count += 1;
      const float apart = x - mean;
      mean += apart / count;
      m2 += apart * (x - mean);
    }
    for (const float x : row) exponentials += std::exp(x - max);
  }
  float n, sum = 0, squares = 0, mean = 0, m2 = 0, exponentials = 0;
  float max = -std::numeric_limits<float>::infinity(), min = std::numeric_limits<float>::infinity();

  float Normalized(OpKind kind, float x) const {
    if (kind == OpKind::kRmsNorm) return x * (1 / std::sqrt(squares / n + 1e-5f));
    if (kind == OpKind::kLayerNorm) return (x - mean) * (1 / std::sqrt(m2 / n + 1e-5f));
    if (kind == OpKind::kL2Normalize) return x / std::max(std::sqrt(squares), 1e-12f);
    if (kind == OpKind::kSoftmax) return std::exp(x - max) / exponentials;
    return x - (max + std::log(exponentials));
  }
  float Reduced(OpKind kind) const {
    if (kind == OpKind::kLogsumexp) return max + std::log(exponentials);
    if (kind == OpKind::kRowSum) return sum;
    if (kind == OpKind::kRowMean) return sum / n;
    if (kind == OpKind::kRowVar) return m2 / (n - 1);
    return kind == OpKind::kRowMax ? max : min;
  }
};

std::vector<OpKind> Kinds(OpClass op_class) {
  std::vector<OpKind> kinds;
  for (const OpTraits& row : OpTable()) {
    if (row.op_class == op_class && row.kind != OpKind::kRowArgmax) kinds.push_back(row.kind);
  }
  return kinds;
}

struct Distribution {
  const char* name;
  float mean, deviation;
  std::size_t columns;
};

class RowBoundTest : public testing::TestWithParam<Distribution> {
 protected:
  static constexpr double kError = 1e-5;  // of each element, relative to its magnitude and 1

  // Elements of a row, and what a computation may have had in their place.
  void Draw(int sign) {
    std::mt19937 random(99);
    std::normal_distribution<float> normal(GetParam().mean, GetParam().deviation);
    for (std::size_t i = 0; i < GetParam().columns; ++i) {
      const double x = normal(random), error = kError * (1 + std::abs(x));
      row_.push_back({x, error + kF32Roundoff * std::abs(x)});
      computed_.push_back(static_cast<float>(x + (sign == 0 ? (i % 2 == 0 ? error : -error) : sign * error)));
    }
  }
  Row row_;
  Floats computed_;
};

TEST_P(RowBoundTest, ContainsAnF32EvaluationOfInexactElements) {
  for (const int sign : {-1, 0, 1}) {
    row_.clear();
    computed_.clear();
    Draw(sign);
    const InF32 f32(computed_);
    for (const OpKind kind : Kinds(OpClass::kNormalize)) {
      const Row bounds = Normalized(kind, row_);
      for (std::size_t i = 0; i < bounds.size(); ++i) {
        ASSERT_LE(std::abs(f32.Normalized(kind, computed_[i]) - bounds[i].value), bounds[i].error)
            << Traits(kind).name << " of " << row_[i].value;
      }
    }
    for (const OpKind kind : Kinds(OpClass::kReduce)) {
      const Bounded bound = Reduced(kind, row_);
      ASSERT_LE(std::abs(f32.Reduced(kind) - bound.value), bound.error) << Traits(kind).name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, RowBoundTest,
                         testing::Values(Distribution{"Small", 0, 1, 5}, Distribution{"Long", 0.3f, 1, 4096},
                                         Distribution{"Wide", 0, 20, 257}, Distribution{"Offset", 100, 1, 512},
                                         Distribution{"Narrow", 2, 0.01f, 300}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(RowBoundTest, StaysNearTheElementsErrors) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal(0.5, 1);
  Row row;
  for (int i = 0; i < 1024; ++i) row.push_back({normal(random), 1e-5});
  for (const Bounded& y : Normalized(OpKind::kSoftmax, row)) EXPECT_LE(y.error, 1e-4 * y.value);
  for (const Bounded& y : Normalized(OpKind::kLogSoftmax, row)) EXPECT_LE(y.error, 6e-5);
  for (const OpKind kind : {OpKind::kRmsNorm, OpKind::kLayerNorm}) {
    for (const Bounded& y : Normalized(kind, row)) EXPECT_LE(y.error, 6e-5 * (1 + std::abs(y.value)));
  }
  for (const Bounded& y : Normalized(OpKind::kL2Normalize, row)) EXPECT_LE(y.error, 3e-6);
  EXPECT_LE(Reduced(OpKind::kLogsumexp, row).error, 3e-5);
  EXPECT_LE(Reduced(OpKind::kRowMean, row).error, 2e-5);
  EXPECT_LE(Reduced(OpKind::kRowVar, row).error, 6e-5);
  EXPECT_LE(Reduced(OpKind::kRowMax, row).error, 1.001e-5);
}

TEST(RowBoundTest, TellsAVarianceFromOneWithoutCorrection) {
  std::mt19937 random(6);
  std::normal_distribution<double> normal(3, 2);
  Row row;
  for (int i = 0; i < 1000; ++i) row.push_back({normal(random), 0});
  const Bounded corrected = Reduced(OpKind::kRowVar, row);
  const std::vector<float> none{0};
  const Bounded plain = ReducedRow(OpKind::kRowVar, none, row);
  EXPECT_GT(corrected.value - corrected.error, plain.value + plain.error);
  EXPECT_NEAR(corrected.value * 999, plain.value * 1000, 1e-9);
}

TEST(RowBoundTest, InfinitiesAreAsInPyTorch) {
  const Row upper = Exactly({1, kInfinity, 2}), lower = Exactly({1, -kInfinity, 2}), none = Exactly({-kInfinity});
  for (const OpKind kind : {OpKind::kSoftmax, OpKind::kLogSoftmax, OpKind::kLayerNorm}) {
    for (const Row& row : {upper, none}) {
      for (const Bounded& y : Normalized(kind, row)) EXPECT_TRUE(std::isnan(y.value) && !y.undetermined);
    }
  }
  EXPECT_EQ(Normalized(OpKind::kSoftmax, lower)[1].value, 0);
  EXPECT_EQ(Normalized(OpKind::kLogSoftmax, lower)[1].value, -kInfinity);
  EXPECT_EQ(Normalized(OpKind::kRmsNorm, upper)[0].value, 0);
  EXPECT_TRUE(std::isnan(Normalized(OpKind::kRmsNorm, upper)[1].value));
  EXPECT_EQ(Reduced(OpKind::kLogsumexp, upper).value, kInfinity);
  EXPECT_EQ(Reduced(OpKind::kLogsumexp, none).value, -kInfinity);
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowVar, upper).value));
}

TEST(RowBoundTest, NanGoesThrough) {
  const Row row = Exactly({3, kNan, 7});
  for (const OpKind kind : Kinds(OpClass::kNormalize)) {
    for (const Bounded& y : Normalized(kind, row)) EXPECT_TRUE(std::isnan(y.value)) << Traits(kind).name;
  }
  for (const OpKind kind : Kinds(OpClass::kReduce)) {
    EXPECT_TRUE(std::isnan(Reduced(kind, row).value)) << Traits(kind).name;
  }
}

TEST(RowBoundTest, WhatMayBeAnythingLeavesItsRowSo) {
  const Row row = {{1, 0}, kUndetermined, {2, 0}};
  for (const OpKind kind : Kinds(OpClass::kNormalize)) {
    for (const Bounded& y : Normalized(kind, row)) EXPECT_TRUE(y.undetermined) << Traits(kind).name;
  }
  for (const OpKind kind : Kinds(OpClass::kReduce)) EXPECT_TRUE(Reduced(kind, row).undetermined) << Traits(kind).name;
}

TEST(RowBoundTest, AZeroRowWithoutEpsIsNotANumber) {
  const std::vector<float> no_eps{0};
  for (const Bounded& y : NormalizedRow(OpKind::kRmsNorm, no_eps, Exactly({0, 0}))) EXPECT_TRUE(std::isnan(y.value));
  const Row nearly = {{0, 1e-7}, {0, 0}};
  for (const Bounded& y : NormalizedRow(OpKind::kRmsNorm, no_eps, nearly)) EXPECT_TRUE(y.undetermined);
  for (const Bounded& y : Normalized(OpKind::kRmsNorm, Exactly({0, 0}))) EXPECT_EQ(y.value, 0);
}

TEST(RowBoundTest, OneElementIsItsOwnMean) {
  const Row row = {{7, 1e-3}};
  const Bounded normed = Normalized(OpKind::kLayerNorm, row)[0];
  EXPECT_EQ(normed.value, 0);
  EXPECT_LE(normed.error, 1e-30);
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowVar, row).value));
  const std::vector<float> none{0};
  EXPECT_EQ(ReducedRow(OpKind::kRowVar, none, row).value, 0);
}

TEST(RowBoundTest, EmptyRowsHaveTheStatisticsOfNothing) {
  EXPECT_EQ(Reduced(OpKind::kRowSum, {}).value, 0);
  EXPECT_EQ(Reduced(OpKind::kLogsumexp, {}).value, -kInfinity);
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowMean, {}).value));
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowVar, {}).value));
  EXPECT_THAT(Normalized(OpKind::kSoftmax, {}), IsEmpty());
}

TEST(ArgmaxCandidatesTest, AreThoseThatMayBeTheLargest) {
  EXPECT_THAT(ArgmaxCandidates(Row{{1, 0.1}, {2, 0.1}, {1.9, 0.05}, {1.5, 0.1}}), ElementsAre(1, 2));
  EXPECT_THAT(ArgmaxCandidates(Exactly({1, 5, 5, 2})), ElementsAre(1)) << "the first of equals";
  EXPECT_THAT(ArgmaxCandidates(Row{{5, 0}, {5, 1e-9}}), ElementsAre(0, 1));
  EXPECT_THAT(ArgmaxCandidates(Row{{5, 1e-9}, {5, 0}}), ElementsAre(0, 1));
  EXPECT_THAT(ArgmaxCandidates(Exactly({1, kNan, kInfinity, kNan})), ElementsAre(1));
  EXPECT_THAT(ArgmaxCandidates(Row{{1, 0}, kUndetermined, {2, 0}}), ElementsAre(1, 2));
  EXPECT_THAT(ArgmaxCandidates(Exactly({-kInfinity, -kInfinity})), ElementsAre(0));
  const Bounded index = Reduced(OpKind::kRowArgmax, Row{{2, 0.1}, {0, 0}, {2, 0.1}});
  EXPECT_EQ(index.value - index.error, 0);
  EXPECT_EQ(index.value + index.error, 2);
}

}  // namespace
}  // namespace gemmd
