// Products whose factors pass through chains first, solved by plain loops in f32, right and wrong.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/status.h"
#include "client/tensor/number_format.h"
#include "client/tensor/random_tensor.h"
#include "client/verify/verify.h"

namespace gemmd {
namespace {

enum class Mistake {
  kNone,
  kNotRounded,
  kRoundedInBetween,
  kTruncated,
  kVectorByRow,
  kVectorOfNextStep,
  kChainOnPadding,
  kPrologueOfAMissing,
  kPrologueOfBMissing,
  kAppliedTwice,
  kAddedBeforeMultiplied,
  kCount
};

constexpr std::int64_t kM = 37, kN = 33, kK = 41, kPaddedK = 48;

// y = silu(x * scale + shift) (w + scale), with scale [K] and shift [M]: one vector is a row of A and a column of B.
struct Problem {
  explicit Problem(DType factors) {
    spec.dims = {{"M", {kM}}, {"N", {kN}}, {"K", {kK}}};
    spec.inputs = {{"x", {factors, {"M", "K"}, Layout::kRowMajor}},
                   {"w", {factors, {"K", "N"}, Layout::kColumnMajor}},
                   {"scale", {DType::kF32, {"K"}, Layout::kRowMajor}},
                   {"shift", {DType::kF16, {"M"}, Layout::kRowMajor}}};
    spec.matmul_a = "x";
    spec.matmul_b = "w";
    spec.prologue_a = {{.kind = OpKind::kMul, .operand = "scale"},
                       {.kind = OpKind::kAdd, .operand = "shift"},
                       {.kind = OpKind::kSilu}};
    spec.prologue_b = {{.kind = OpKind::kAdd, .operand = "scale"}};
    spec.epilogue = {{.kind = OpKind::kStore, .output = "y", .dtype = DType::kF32}};
    x = MakeTensor(factors, {kM, kK});
    w = MakeTensor(factors, {kK, kN}, Layout::kColumnMajor);
    scale = MakeTensor(DType::kF32, {kK});
    shift = MakeTensor(DType::kF16, {kM});
    y = MakeTensor(DType::kF32, {kM, kN});
    FillRandom(x, 1, "x", 1);
    FillRandom(w, 1, "w", 1);
    FillRandom(scale, 1, "scale", 1);
    FillRandom(shift, 1, "shift", 1);
  }

  static float At(const Tensor& tensor, std::int64_t index) {
    return static_cast<float>(DecodeElement(tensor.bytes, tensor.dtype, index));
  }

  float ToFactor(float value, Mistake mistake) const {
    if (mistake == Mistake::kNotRounded) return value;
    const NumberFormat format = FormatOf(x.dtype);
    const double rounded = RoundTo(value, format);
    if (mistake != Mistake::kTruncated || std::abs(rounded) <= std::abs(value)) return static_cast<float>(rounded);
    return static_cast<float>(DecodeNumber(EncodeNumber(value, format) - 1, format));
  }

  float Silu(float value) const { return value / (1 + std::exp(-value)); }

  float Left(std::int64_t m, std::int64_t k, Mistake mistake) const {
    float value = k < kK ? At(x, m * kK + k) : 0;
    if (mistake == Mistake::kPrologueOfAMissing) return value;
    std::int64_t at = k % kK;
    if (mistake == Mistake::kVectorByRow) at = m;
    if (mistake == Mistake::kVectorOfNextStep) at = (k + 1) % kK;
    for (int i = 0; i < (mistake == Mistake::kAppliedTwice ? 2 : 1); ++i) {
      if (mistake == Mistake::kAddedBeforeMultiplied) {
        value = (value + At(shift, m)) * At(scale, at);
      } else {
        value = value * At(scale, at);
        if (mistake == Mistake::kRoundedInBetween) value = ToFactor(value, Mistake::kNone);
        value = value + At(shift, m);
      }
      value = Silu(value);
    }
    return ToFactor(value, mistake);
  }

  float Right(std::int64_t k, std::int64_t n, Mistake mistake) const {
    const float value = k < kK ? At(w, n * kK + k) : 0;
    if (mistake == Mistake::kPrologueOfBMissing) return value;
    return ToFactor(value + At(scale, k % kK), mistake);
  }

  void Solve(Mistake mistake) {
    const std::int64_t steps = mistake == Mistake::kChainOnPadding ? kPaddedK : kK;
    for (std::int64_t m = 0; m < kM; ++m) {
      for (std::int64_t n = 0; n < kN; ++n) {
        float sum = 0;
        for (std::int64_t k = 0; k < steps; ++k) sum += Left(m, k, mistake) * Right(k, n, mistake);
        std::memcpy(y.bytes.data() + (m * kN + n) * 4, &sum, 4);
      }
    }
  }

  VerifyReport Check() const {
    const VerifySubject subject{
        {{"x", x.view()}, {"w", w.view()}, {"scale", scale.view()}, {"shift", shift.view()}}, {}, {{"y", y.view()}}};
    const absl::StatusOr<VerifyReport> report = Verify(spec, subject, {});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : VerifyReport{};
  }

  KernelSpec spec;
  Tensor x, w, scale, shift, y;
};

class VerifyPrologueTest : public testing::TestWithParam<DType> {};

TEST_P(VerifyPrologueTest, PassesWhatIsRoundedOnce) {
  Problem problem(GetParam());
  problem.Solve(Mistake::kNone);
  const VerifyReport report = problem.Check();
  EXPECT_TRUE(report.verified) << report.worst.ratio;
}

TEST_P(VerifyPrologueTest, InfinitiesAndNanOfTheChainArrive) {
  Problem problem(GetParam());
  // log of 0 is an infinity in the multiply, log of a negative number a NaN.
  problem.spec.prologue_a = {{.kind = OpKind::kLog}};
  problem.spec.inputs.erase("shift");
  std::memset(problem.x.bytes.data(), 0, static_cast<std::size_t>(SizeBytes(GetParam())));
  for (std::int64_t m = 0; m < kM; ++m) {
    for (std::int64_t n = 0; n < kN; ++n) {
      float sum = 0;
      for (std::int64_t k = 0; k < kK; ++k) {
        const float x = Problem::At(problem.x, m * kK + k);
        sum += problem.ToFactor(std::log(x), Mistake::kNone) * problem.Right(k, n, Mistake::kNone);
      }
      std::memcpy(problem.y.bytes.data() + (m * kN + n) * 4, &sum, 4);
    }
  }
  EXPECT_TRUE(problem.Check().verified);
  const float zero = 0;
  std::memcpy(problem.y.bytes.data(), &zero, 4);
  EXPECT_FALSE(problem.Check().verified);
}

INSTANTIATE_TEST_SUITE_P(Types, VerifyPrologueTest, testing::Values(DType::kF32, DType::kF16, DType::kBf16),
                         [](const auto& type) { return std::string(Name(type.param)); });

class VerifyPrologueMistakeTest : public testing::TestWithParam<int> {};

TEST_P(VerifyPrologueMistakeTest, IsCaught) {
  Problem problem(DType::kF16);
  problem.Solve(static_cast<Mistake>(GetParam()));
  const VerifyReport report = problem.Check();
  EXPECT_FALSE(report.verified);
  EXPECT_GT(report.worst.ratio, 1);
}

INSTANTIATE_TEST_SUITE_P(Each, VerifyPrologueMistakeTest, testing::Range(1, static_cast<int>(Mistake::kCount)));

}  // namespace
}  // namespace gemmd
