#include "client/verify/verify.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/status.h"
#include "client/tensor/number_format.h"
#include "client/tensor/random_tensor.h"
#include "planted_problem.h"

namespace gemmd {
namespace {

// y = x w, stored as `output`.
struct Linear {
  Linear(DType input, DType output, std::int64_t m, std::int64_t n, std::int64_t k, Layout layout) {
    spec.inputs = {{"x", {input, {m, k}, layout}}, {"w", {input, {k, n}, layout}}};
    spec.matmul_a = "x";
    spec.matmul_b = "w";
    Operation store;
    store.kind = OpKind::kStore;
    store.output = "y";
    store.dtype = output;
    spec.epilogue = {store};
    x = MakeTensor(input, {m, k}, layout);
    w = MakeTensor(input, {k, n}, layout);
    y = MakeTensor(output, {m, n});
    FillRandom(x, 1, "x", 1);
    FillRandom(w, 1, "w", 1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(k, 1))));
  }

  static double At(const Tensor& tensor, std::int64_t row, std::int64_t column) {
    const bool row_major = tensor.layout == Layout::kRowMajor;
    return DecodeElement(tensor.bytes, tensor.dtype,
                         row_major ? row * tensor.shape[1] + column : column * tensor.shape[0] + row);
  }

  void Put(std::int64_t row, std::int64_t column, double value) {
    const std::uint32_t bits = EncodeNumber(value, FormatOf(y.dtype));
    const auto size = static_cast<std::size_t>(SizeBytes(y.dtype));
    std::memcpy(y.bytes.data() + static_cast<std::size_t>(row * y.shape[1] + column) * size, &bits, size);
  }

  // Sums in f32, the first step of K first.
  void Solve() {
    for (std::int64_t m = 0; m < y.shape[0]; ++m) {
      for (std::int64_t n = 0; n < y.shape[1]; ++n) {
        float sum = 0;
        for (std::int64_t k = 0; k < x.shape[1]; ++k) sum += static_cast<float>(At(x, m, k) * At(w, k, n));
        Put(m, n, sum);
      }
    }
  }

  VerifyReport Check(VerifyOptions options = {}) const {
    const VerifySubject subject{{{"x", x.view()}, {"w", w.view()}}, {}, {{"y", y.view()}}};
    const absl::StatusOr<VerifyReport> report = Verify(spec, subject, options);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : VerifyReport{};
  }

  KernelSpec spec;
  Tensor x, w, y;
};

struct Case {
  DType input, output;
  std::int64_t m, n, k;
  Layout layout;
};

class VerifyShapesTest : public testing::TestWithParam<Case> {};

TEST_P(VerifyShapesTest, PassesSumsInF32) {
  const Case& c = GetParam();
  Linear linear(c.input, c.output, c.m, c.n, c.k, c.layout);
  linear.Solve();
  EXPECT_TRUE(linear.Check().verified);
}

INSTANTIATE_TEST_SUITE_P(Ragged, VerifyShapesTest,
                         testing::Values(Case{DType::kF32, DType::kF32, 1, 1, 1, Layout::kRowMajor},
                                         Case{DType::kF32, DType::kF32, 70, 65, 257, Layout::kRowMajor},
                                         Case{DType::kF32, DType::kF32, 70, 65, 257, Layout::kColumnMajor},
                                         Case{DType::kF16, DType::kF32, 3, 129, 8191, Layout::kColumnMajor},
                                         Case{DType::kBf16, DType::kBf16, 130, 63, 255, Layout::kRowMajor},
                                         Case{DType::kF16, DType::kF16, 5, 64, 0, Layout::kRowMajor},
                                         Case{DType::kF16, DType::kF16, 0, 64, 8, Layout::kRowMajor},
                                         Case{DType::kF16, DType::kF16, 7, 0, 8, Layout::kRowMajor}));

TEST(VerifyTest, SaysWhereTheWorstElementIs) {
  Linear linear(DType::kF32, DType::kF32, 300, 100, 50, Layout::kRowMajor);
  linear.Solve();
  linear.Put(256, 99, 1000);
  const VerifyReport report = linear.Check();
  EXPECT_FALSE(report.verified);
  EXPECT_EQ(report.mismatches, 1);
  EXPECT_EQ(report.worst.output, "y");
  EXPECT_EQ(report.worst.row, 256);
  EXPECT_EQ(report.worst.column, 99);
  EXPECT_EQ(report.worst.got, 1000);
  EXPECT_NEAR(report.max_abs_error, 1000, 10);
}

TEST(VerifyTest, ReportsTheSameForEveryNumberOfThreads) {
  Linear linear(DType::kF16, DType::kF16, 200, 333, 64, Layout::kColumnMajor);
  linear.Solve();
  const VerifyReport one = linear.Check({.threads = 1}), many = linear.Check({.threads = 7});
  EXPECT_EQ(one.worst.ratio, many.worst.ratio);
  EXPECT_EQ(one.worst.row, many.worst.row);
  EXPECT_EQ(one.worst.column, many.worst.column);
  EXPECT_EQ(one.max_abs_error, many.max_abs_error);
}

TEST(VerifyTest, OverflowOfTheOutputMustBeInfinity) {
  Linear linear(DType::kF32, DType::kF16, 1, 1, 1, Layout::kRowMajor);
  for (Tensor* tensor : {&linear.x, &linear.w}) {
    const float value = 300;
    std::memcpy(tensor->bytes.data(), &value, sizeof value);
  }
  linear.Put(0, 0, INFINITY);
  EXPECT_TRUE(linear.Check().verified);
  linear.Put(0, 0, 65504);
  EXPECT_FALSE(linear.Check().verified);
}

TEST(VerifyTest, NanOfTheInputsMustArrive) {
  Linear linear(DType::kF32, DType::kF32, 2, 2, 2, Layout::kRowMajor);
  const float nan = NAN;
  std::memcpy(linear.x.bytes.data(), &nan, sizeof nan);
  linear.Solve();
  EXPECT_TRUE(linear.Check().verified);
  linear.Put(0, 1, 0);
  EXPECT_FALSE(linear.Check().verified);
}

TEST(VerifyTest, Tf32NeedsItsWiderTolerance) {
  Linear linear(DType::kF32, DType::kF32, 8, 8, 64, Layout::kRowMajor);
  const NumberFormat tf32{19, 10, 127, -126};
  for (Tensor* tensor : {&linear.x, &linear.w}) {
    for (std::size_t i = 0; i < tensor->bytes.size(); i += 4) {
      float value;
      std::memcpy(&value, tensor->bytes.data() + i, 4);
      value = static_cast<float>(RoundTo(value, tf32));
      std::memcpy(tensor->bytes.data() + i, &value, 4);
    }
  }
  linear.Solve();
  FillRandom(linear.x, 1, "x", 1);
  FillRandom(linear.w, 1, "w", 0.125);
  EXPECT_FALSE(linear.Check().verified);
  linear.spec.precision = Precision::kTf32;
  EXPECT_TRUE(linear.Check().verified);
}

TEST(VerifyTest, Tf32MayCutItsFactors) {
  const auto fill = [](Tensor& tensor, float value) {
    for (std::size_t i = 0; i < tensor.bytes.size(); i += 4) std::memcpy(tensor.bytes.data() + i, &value, 4);
  };
  Linear linear(DType::kF32, DType::kF32, 2, 2, 1, Layout::kRowMajor);
  linear.spec.precision = Precision::kTf32;
  for (Tensor* tensor : {&linear.x, &linear.w}) fill(*tensor, 1);
  linear.Solve();
  for (Tensor* tensor : {&linear.x, &linear.w}) fill(*tensor, 1 + 0x1p-10f - 0x1p-23f);
  EXPECT_TRUE(linear.Check().verified);
  for (Tensor* tensor : {&linear.x, &linear.w}) fill(*tensor, 1 + 0x1p-9f);
  EXPECT_FALSE(linear.Check().verified);
}

// y = relu(x w[:, :n / 2]) * x w[:, n / 2:], and x w itself as `z`.
struct Gated : Linear {
  explicit Gated(std::int64_t half) : Linear(DType::kF32, DType::kF32, 9, 2 * half, 33, Layout::kRowMajor) {
    Solve();
    z = y;
    y = MakeTensor(DType::kF32, {9, half});
    for (std::int64_t m = 0; m < 9; ++m) {
      for (std::int64_t n = 0; n < half; ++n) Put(m, n, std::max(At(z, m, n), 0.0) * At(z, m, n + half));
    }
    spec.epilogue = {{.kind = OpKind::kStore, .output = "z", .dtype = DType::kF32},
                     {.kind = OpKind::kReglu},
                     {.kind = OpKind::kStore, .output = "y", .dtype = DType::kF32}};
  }

  VerifyReport Check() const {
    const absl::StatusOr<VerifyReport> report =
        Verify(spec, {{{"x", x.view()}, {"w", w.view()}}, {}, {{"y", y.view()}, {"z", z.view()}}}, {});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : VerifyReport{};
  }

  Tensor z;
};

TEST(VerifyTest, ChecksBothHalvesOfAGateAndWhatItMakes) {
  for (const std::int64_t half : {1, 63, 64, 130}) {
    Gated gated(half);
    EXPECT_TRUE(gated.Check().verified);
    for (Tensor* tensor : {&gated.y, &gated.z}) {
      const std::vector<std::byte> right = tensor->bytes;
      const float wrong = 99;
      std::memcpy(tensor->bytes.data() + tensor->bytes.size() - sizeof wrong, &wrong, sizeof wrong);
      const VerifyReport report = gated.Check();
      EXPECT_EQ(report.mismatches, 1);
      EXPECT_EQ(report.worst.output, tensor == &gated.y ? "y" : "z");
      EXPECT_EQ(report.worst.column, tensor->shape[1] - 1);
      tensor->bytes = right;
    }
  }
}

// Stores the f16 number above gelu(w) wherever that lies between `nearest` and `farthest` of their spacing away, and
// the nearest one elsewhere; returns how many were put off so.
int StoreGeluOffBy(Linear& problem, double nearest, double farthest) {
  int off = 0;
  for (std::int64_t column = 0; column < problem.y.shape[1]; ++column) {
    const double w = Linear::At(problem.w, 0, column), gelu = 0.5 * w * std::erfc(-w / std::sqrt(2));
    const NumberFormat format = FormatOf(DType::kF16);
    const double spacing = 2 * HalfSpacing(std::abs(gelu), format), above = std::ceil(gelu / spacing) * spacing;
    const double distance = (above - gelu) / spacing;
    const bool put_off = nearest < distance && distance < farthest;
    problem.Put(0, column, put_off ? above : RoundTo(gelu, format));
    off += put_off ? 1 : 0;
  }
  return off;
}

TEST(VerifyTest, GrantsAGeluThatIsOnlyStoredAQuarterOfTheLastPlace) {
  Linear problem(DType::kF16, DType::kF16, 1, 4096, 1, Layout::kRowMajor);
  const std::uint32_t one = EncodeNumber(1, FormatOf(DType::kF16));
  std::memcpy(problem.x.bytes.data(), &one, 2);
  problem.spec.epilogue.insert(problem.spec.epilogue.begin(), Operation{.kind = OpKind::kGeluErf});
  EXPECT_GT(StoreGeluOffBy(problem, 0.55, 0.74), 100);
  EXPECT_TRUE(problem.Check().verified);
  const int off = StoreGeluOffBy(problem, 0.8, 0.95);
  EXPECT_GT(off, 100);
  EXPECT_NEAR(problem.Check().mismatches, off, 3);  // f32's own error counts for the smallest
}

TEST(VerifyTest, GrantsNothingToAGeluThatGoesOn) {
  Linear problem(DType::kF16, DType::kF16, 1, 4096, 1, Layout::kRowMajor);
  const std::uint32_t one = EncodeNumber(1, FormatOf(DType::kF16));
  std::memcpy(problem.x.bytes.data(), &one, 2);
  const Operation times_one{.kind = OpKind::kMul, .value = 1.0};
  problem.spec.epilogue.insert(problem.spec.epilogue.begin(), {Operation{.kind = OpKind::kGeluErf}, times_one});
  const int off = StoreGeluOffBy(problem, 0.55, 0.74);
  EXPECT_GT(off, 100);
  EXPECT_EQ(problem.Check().mismatches, off);
}

TEST(VerifyTest, RefusesAnOutputThatWasNotGiven) {
  PlantedProblem problem = SolveWith(Bug::kNone);
  problem.outputs.erase("aux");
  const absl::StatusOr<VerifyReport> report = Verify(problem.spec, problem.Subject(), {});
  EXPECT_TRUE(absl::IsInvalidArgument(report.status()));
}

TEST(VerifyTest, RefusesAnOutputOfAnotherSize) {
  PlantedProblem problem = SolveWith(Bug::kNone);
  problem.outputs["out"].bytes.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(Verify(problem.spec, problem.Subject(), {}).status()));
}

}  // namespace
}  // namespace gemmd
