// Verify on chains that go along rows: right results pass, and wrong ones of every output don't.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/status.h"
#include "client/tensor/random_tensor.h"
#include "client/verify/verify.h"

namespace gemmd {
namespace {

// x [M, K] w [K, N] in f32: normed = layer_norm(x w) gain + shift; total [M] = the sum of its rows times scale [M];
// peak [M] = where normed - total is largest; centred = normed - total.
struct RowProblem {
  RowProblem(std::int64_t m, std::int64_t n, std::int64_t k) : m_(m), n_(n), k_(k) {
    spec.inputs = {{"x", {DType::kF32, {m, k}}},
                   {"w", {DType::kF32, {k, n}}},
                   {"gain", {DType::kF32, {n}}},
                   {"shift", {DType::kF32, {n}}},
                   {"scale", {DType::kF32, {m}}}};
    spec.matmul_a = "x";
    spec.matmul_b = "w";
    const auto store = [](std::string name, DType dtype) {
      return Operation{.kind = OpKind::kStore, .output = std::move(name), .dtype = dtype};
    };
    spec.epilogue = {{.kind = OpKind::kLayerNorm, .id = "n", .weight = "gain", .bias = "shift"},
                     store("normed", DType::kF32),
                     {.kind = OpKind::kRowSum},
                     {.kind = OpKind::kMul, .operand = "scale", .id = "t"},
                     store("total", DType::kF32),
                     {.kind = OpKind::kSub, .operand = "t", .input = "n"},
                     store("centred", DType::kF32),
                     {.kind = OpKind::kRowArgmax},
                     store("peak", DType::kI32)};
    for (const auto& [name, declared] : spec.inputs) {
      std::vector<std::int64_t> shape;
      for (const ShapeEntry& entry : declared.shape) shape.push_back(std::get<std::int64_t>(entry));
      tensors[name] = MakeTensor(declared.dtype, shape);
      FillRandom(tensors[name], 3, name, 1);
    }
    tensors["normed"] = MakeTensor(DType::kF32, {m, n});
    tensors["centred"] = MakeTensor(DType::kF32, {m, n});
    tensors["total"] = MakeTensor(DType::kF32, {m});
    tensors["peak"] = MakeTensor(DType::kI32, {m});
    Solve();
  }

  template <typename T>
  T* Data(const std::string& name) {
    return reinterpret_cast<T*>(tensors.at(name).bytes.data());
  }

  void Solve() {
    for (std::int64_t row = 0; row < m_; ++row) {
      std::vector<float> values(static_cast<std::size_t>(n_), 0.0f);
      float mean = 0, m2 = 0, total = 0;
      for (std::int64_t column = 0; column < n_; ++column) {
        float& value = values[static_cast<std::size_t>(column)];
        for (std::int64_t i = 0; i < k_; ++i)
          value += Data<float>("x")[row * k_ + i] * Data<float>("w")[i * n_ + column];
        mean += value / static_cast<float>(n_);
      }
      for (const float value : values) m2 += (value - mean) * (value - mean);
      for (std::int64_t column = 0; column < n_; ++column) {
        float& value = values[static_cast<std::size_t>(column)];
        value = (value - mean) / std::sqrt(m2 / static_cast<float>(n_) + 1e-5f);
        value = value * Data<float>("gain")[column] + Data<float>("shift")[column];
        Data<float>("normed")[row * n_ + column] = value;
        total += value;
      }
      Data<float>("total")[row] = total *= Data<float>("scale")[row];
      std::int64_t peak = 0;
      for (std::int64_t column = 0; column < n_; ++column) {
        const float centred = Data<float>("centred")[row * n_ + column] =
            values[static_cast<std::size_t>(column)] - total;
        if (centred > Data<float>("centred")[row * n_ + peak]) peak = column;
      }
      Data<std::int32_t>("peak")[row] = static_cast<std::int32_t>(peak);
    }
  }

  VerifyReport Check(int threads = 0) const {
    VerifySubject subject;
    for (const auto& [name, tensor] : tensors) {
      (spec.inputs.contains(name) ? subject.inputs : subject.outputs)[name] = tensor.view();
    }
    const absl::StatusOr<VerifyReport> report = Verify(spec, subject, {.threads = threads});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : VerifyReport{};
  }

  std::int64_t m_, n_, k_;
  KernelSpec spec;
  std::map<std::string, Tensor> tensors;
};

TEST(VerifyRowsTest, PassesWhatIsRight) {
  for (const auto& [m, n, k] : {std::tuple{5, 7, 3}, {200, 65, 33}, {3, 1000, 10}, {4, 1, 2}, {4, 9, 0}, {0, 9, 2}}) {
    const VerifyReport report = RowProblem(m, n, k).Check();
    EXPECT_TRUE(report.verified) << m << " " << n << " " << k << ": " << report.worst.output << " "
                                 << report.worst.ratio;
    EXPECT_EQ(report.outputs, 4);
  }
}

TEST(VerifyRowsTest, ReportsTheSameForEveryNumberOfThreads) {
  const RowProblem problem(90, 300, 17);
  const VerifyReport one = problem.Check(1), many = problem.Check(5);
  EXPECT_EQ(one.worst.ratio, many.worst.ratio);
  EXPECT_EQ(one.worst.output, many.worst.output);
  EXPECT_EQ(one.worst.row, many.worst.row);
}

TEST(VerifyRowsTest, SeesOneWrongElementOfAnyOutput) {
  for (const char* name : {"normed", "centred", "total"}) {
    RowProblem problem(20, 150, 30);
    const bool matrix = problem.tensors.at(name).shape.size() == 2;
    problem.Data<float>(name)[matrix ? 7 * 150 + 149 : 7] *= 1.001f;
    const VerifyReport report = problem.Check();
    EXPECT_EQ(report.mismatches, 1) << name;
    EXPECT_EQ(report.worst.output, name);
    EXPECT_EQ(report.worst.row, 7);
    EXPECT_EQ(report.worst.column, matrix ? 149 : 0);
  }
}

TEST(VerifyRowsTest, SeesTheNeighbourOfTheRightIndex) {
  RowProblem problem(20, 150, 30);
  problem.Data<std::int32_t>("peak")[7] += 1;
  const VerifyReport report = problem.Check();
  EXPECT_EQ(report.mismatches, 1);
  EXPECT_EQ(report.worst.output, "peak");
  EXPECT_EQ(report.worst.got, report.worst.expected + 1);
}

TEST(VerifyRowsTest, TakesNothingBetweenTwoIndicesThatMayBeRight) {
  // Columns 2 and 5 are equal but for their rounding; the sums over K are not exact.
  RowProblem problem(3, 8, 40);
  for (std::int64_t i = 0; i < 40; ++i) {
    float* row = problem.Data<float>("w") + i * 8;
    for (std::int64_t column = 0; column < 8; ++column) row[column] = column == 2 || column == 5 ? 1.0f : -1.0f;
    row[2] += static_cast<float>(i % 2) * 0x1p-22f;
    for (std::int64_t m = 0; m < 3; ++m) problem.Data<float>("x")[m * 40 + i] = 0.7f;
  }
  for (std::int64_t column = 0; column < 8; ++column) {
    problem.Data<float>("gain")[column] = 1;
    problem.Data<float>("shift")[column] = 0;
  }
  problem.Solve();
  for (const std::int32_t index : {2, 5}) {
    problem.Data<std::int32_t>("peak")[1] = index;
    EXPECT_TRUE(problem.Check().verified) << index;
  }
  for (const std::int32_t index : {-1, 0, 3, 4, 6}) {
    problem.Data<std::int32_t>("peak")[1] = index;
    EXPECT_EQ(problem.Check().mismatches, 1) << index;
  }
}

}  // namespace
}  // namespace gemmd
