// The operations that go along rows against their formulas in double, and whole graphs with them on the host.
#include "runtime/row_wise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "runtime/host_interpreter.h"

namespace gemmd {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Row = std::vector<float>;

Row Normalized(OpKind kind, const Row& in) {
  Row out(in.size());
  NormalizeRow(kind, ParamsOf({.kind = kind}), in, out);
  return out;
}

float Reduced(OpKind kind, const Row& in) { return ReduceRow(kind, ParamsOf({.kind = kind}), in); }

Row RandomRow(std::size_t columns, float mean, float deviation) {
  std::mt19937 random(static_cast<unsigned>(columns));
  std::normal_distribution<float> normal(mean, deviation);
  Row row(columns);
  for (float& x : row) x = normal(random);
  return row;
}

// The definitions, in long double.
struct Formula {
  explicit Formula(const Row& row) : n(static_cast<long double>(row.size())) {
    for (const float x : row) mean += x / n;
    for (const float x : row) {
      sum += x;
      squares += static_cast<long double>(x) * x;
      m2 += (x - mean) * (x - mean);
      exponentials += std::exp(static_cast<long double>(x));
    }
  }
  long double n, mean = 0, sum = 0, squares = 0, m2 = 0, exponentials = 0;
};

class RowLengthTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(RowLengthTest, AgreesWithTheFormulas) {
  const Row row = RandomRow(GetParam(), 0.25f, 2.0f);
  const Formula f(row);
  const auto near = [](float got, long double expected) {
    return std::abs(got - expected) <= 1e-6L * (1 + std::abs(expected));
  };
  for (std::size_t i = 0; i < row.size(); ++i) {
    const long double x = row[i], scale = std::sqrt(f.squares / f.n + 1e-5L);
    EXPECT_TRUE(near(Normalized(OpKind::kRmsNorm, row)[i], x / scale));
    EXPECT_TRUE(near(Normalized(OpKind::kLayerNorm, row)[i], (x - f.mean) / std::sqrt(f.m2 / f.n + 1e-5L)));
    EXPECT_TRUE(near(Normalized(OpKind::kL2Normalize, row)[i], x / std::sqrt(f.squares)));
    EXPECT_TRUE(near(Normalized(OpKind::kSoftmax, row)[i], std::exp(x) / f.exponentials));
    EXPECT_TRUE(near(Normalized(OpKind::kLogSoftmax, row)[i], x - std::log(f.exponentials)));
    if (i == 20) break;
  }
  EXPECT_TRUE(near(Reduced(OpKind::kLogsumexp, row), std::log(f.exponentials)));
  EXPECT_TRUE(near(Reduced(OpKind::kRowSum, row), f.sum));
  EXPECT_TRUE(near(Reduced(OpKind::kRowMean, row), f.mean));
  EXPECT_EQ(Reduced(OpKind::kRowMax, row), *std::ranges::max_element(row));
  EXPECT_EQ(Reduced(OpKind::kRowMin, row), *std::ranges::min_element(row));
  EXPECT_EQ(Reduced(OpKind::kRowArgmax, row), static_cast<float>(std::ranges::max_element(row) - row.begin()));
  if (row.size() == 1) return;
  EXPECT_TRUE(near(Reduced(OpKind::kRowVar, row), f.m2 / (f.n - 1)));
  const std::vector<float> correction{2.5f};
  EXPECT_EQ(ReduceRow(OpKind::kRowVar, correction, row) > 0, true);
}

INSTANTIATE_TEST_SUITE_P(Ragged, RowLengthTest, ::testing::Values(1, 2, 3, 7, 8, 9, 17, 4099));

TEST(RowWiseTest, ACommonOffsetCostsNoDigits) {
  const Row row = RandomRow(4096, 1e4f, 1.0f);
  const Formula f(row);
  EXPECT_NEAR(Reduced(OpKind::kRowVar, row), static_cast<double>(f.m2 / (f.n - 1)), 1e-6);
  EXPECT_NEAR(Reduced(OpKind::kRowMean, row), static_cast<double>(f.mean), 1e-3);
  const Row normed = Normalized(OpKind::kLayerNorm, row), log_softmax = Normalized(OpKind::kLogSoftmax, row);
  const float largest = Reduced(OpKind::kRowMax, row);
  long double exponentials = 0;
  for (const float x : row) exponentials += std::exp(static_cast<long double>(x) - largest);
  for (std::size_t i = 0; i < row.size(); i += 97) {
    EXPECT_NEAR(normed[i], static_cast<double>((row[i] - f.mean) / std::sqrt(f.m2 / f.n + 1e-5L)), 1e-6);
    EXPECT_NEAR(log_softmax[i], static_cast<double>(row[i] - largest - std::log(exponentials)), 1e-5);
  }
}

TEST(RowWiseTest, EqualElementsHaveNoVariance) {
  const Row row(1001, 0.1f);
  EXPECT_NEAR(Reduced(OpKind::kRowVar, row), 0, 1e-15);
  for (const float x : Normalized(OpKind::kLayerNorm, row)) EXPECT_NEAR(x, 0, 1e-6);
  for (const float x : Normalized(OpKind::kSoftmax, row)) EXPECT_FLOAT_EQ(x, 1.0f / 1001);
  EXPECT_EQ(Reduced(OpKind::kRowArgmax, row), 0);
}

TEST(RowWiseTest, NothingOverflowsThatF32Holds) {
  const Row row{3e38f, -3e38f, 2e38f};
  EXPECT_FLOAT_EQ(Normalized(OpKind::kL2Normalize, row)[0], 3 / std::sqrt(22.0f));
  EXPECT_FLOAT_EQ(Reduced(OpKind::kRowSum, row), 2e38f);
  EXPECT_THAT(Normalized(OpKind::kSoftmax, row), ElementsAre(1, 0, 0));
}

// As torch.softmax, torch.logsumexp and torch.nn.functional.layer_norm and normalize have them in float64.
TEST(RowWiseTest, TakesInfinitiesAsPyTorchDoes) {
  const Row upper{1, kInfinity, 2}, lower{1, -kInfinity, 2}, none{-kInfinity, -kInfinity};
  const auto is_nan = [](const Row& row) { return std::ranges::all_of(row, [](float x) { return std::isnan(x); }); };
  for (const OpKind kind : {OpKind::kSoftmax, OpKind::kLogSoftmax, OpKind::kLayerNorm}) {
    EXPECT_TRUE(is_nan(Normalized(kind, upper))) << Traits(kind).name;
    EXPECT_TRUE(is_nan(Normalized(kind, none))) << Traits(kind).name;
  }
  EXPECT_EQ(Normalized(OpKind::kSoftmax, lower)[1], 0);
  EXPECT_EQ(Normalized(OpKind::kLogSoftmax, lower)[1], -kInfinity);
  for (const OpKind kind : {OpKind::kRmsNorm, OpKind::kL2Normalize}) {
    EXPECT_EQ(Normalized(kind, upper)[0], 0);
    EXPECT_TRUE(std::isnan(Normalized(kind, upper)[1]));
  }
  EXPECT_EQ(Reduced(OpKind::kLogsumexp, upper), kInfinity);
  EXPECT_FLOAT_EQ(Reduced(OpKind::kLogsumexp, lower), 2.3132616875f);
  EXPECT_EQ(Reduced(OpKind::kLogsumexp, none), -kInfinity);
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowVar, upper)));
  EXPECT_EQ(Reduced(OpKind::kRowMean, lower), -kInfinity);
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowSum, {kInfinity, -kInfinity})));
}

TEST(RowWiseTest, NanGoesThrough) {
  const Row row{3, kNan, 7, kNan};
  for (const OpTraits& traits : OpTable()) {
    if (traits.op_class == OpClass::kNormalize) {
      for (const float x : Normalized(traits.kind, row)) EXPECT_TRUE(std::isnan(x)) << traits.name;
    } else if (traits.op_class == OpClass::kReduce && traits.kind != OpKind::kRowArgmax) {
      EXPECT_TRUE(std::isnan(Reduced(traits.kind, row))) << traits.name;
    }
  }
  EXPECT_EQ(Reduced(OpKind::kRowArgmax, row), 1);
}

TEST(RowWiseTest, ArgmaxIsTheFirstOfEquals) {
  EXPECT_EQ(Reduced(OpKind::kRowArgmax, {1, 5, 3, 5}), 1);
  EXPECT_EQ(Reduced(OpKind::kRowArgmax, {-kInfinity, -kInfinity}), 0);
}

TEST(RowWiseTest, EmptyRowsHaveTheStatisticsOfNothing) {
  EXPECT_EQ(Reduced(OpKind::kRowSum, {}), 0);
  EXPECT_EQ(Reduced(OpKind::kLogsumexp, {}), -kInfinity);
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowMean, {})));
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowVar, {})));
}

TEST(RowWiseTest, VarianceOfNoMoreElementsThanTheCorrection) {
  EXPECT_TRUE(std::isnan(Reduced(OpKind::kRowVar, {4})));
  const std::vector<float> correction{3};
  EXPECT_EQ(ReduceRow(OpKind::kRowVar, correction, Row{1, 2}), kInfinity);
}

// x [M, K] w [K, N] in f32, and its epilogue: 0: store the product, 1: rms_norm, 2: * gain [N], 3: store, 4: sum of
// 3, 5: * scale [M], 6: store it, 7: value 3 - value 6 of its row, 8: argmax, 9: store it as i32.
struct RowProblem {
  explicit RowProblem(const GemmShape& extents) : shape(extents) {
    std::mt19937 random(17);
    std::uniform_real_distribution<float> uniform(-1, 1);
    const auto fill = [&](std::vector<float>& values, std::int64_t count) {
      values.resize(static_cast<std::size_t>(count));
      for (float& value : values) value = uniform(random);
    };
    fill(x, shape.m * shape.k);
    fill(w, shape.k * shape.n);
    fill(gain, shape.n);
    fill(scale, shape.m);
    product.assign(static_cast<std::size_t>(shape.m * shape.n), kNan);
    normed = product;
    total.assign(static_cast<std::size_t>(shape.m), kNan);
    at.assign(static_cast<std::size_t>(shape.m), -1);
    graph.b = 1;
    graph.inputs = {{DType::kF32, Layout::kRowMajor, {Axis::kM, Axis::kK}},
                    {DType::kF32, Layout::kRowMajor, {Axis::kK, Axis::kN}},
                    {DType::kF32, Layout::kRowMajor, {Axis::kN}},
                    {DType::kF32, Layout::kRowMajor, {Axis::kM}}};
    graph.outputs = {{DType::kF32}, {DType::kF32}, {DType::kF32, {Axis::kM}}, {DType::kI32, {Axis::kM}}};
    graph.epilogue = {
        {.kind = OpKind::kStore, .input = 0, .output = 0},
        {.kind = OpKind::kRmsNorm, .input = 1, .params = {1e-5f}},
        {.kind = OpKind::kMul, .input = 2, .operand = 2, .broadcast = Broadcast::kRow},
        {.kind = OpKind::kStore, .input = 3, .output = 1},
        {.kind = OpKind::kRowSum, .input = 3},
        {.kind = OpKind::kMul, .input = 5, .operand = 3, .broadcast = Broadcast::kColumn},
        {.kind = OpKind::kStore, .input = 6, .output = 2},
        {.kind = OpKind::kSub, .input = 3, .operand_value = 6},
        {.kind = OpKind::kRowArgmax, .input = 8},
        {.kind = OpKind::kStore, .input = 9, .dtype = DType::kI32, .output = 3},
    };
  }

  void Run(int threads) {
    const auto tensor = [](auto& values, std::int64_t columns) {
      return HostTensor{reinterpret_cast<std::byte*>(values.data()), std::max<std::int64_t>(columns, 1)};
    };
    const HostTensor inputs[] = {tensor(x, shape.k), tensor(w, shape.n), tensor(gain, shape.n), tensor(scale, shape.m)};
    const HostTensor outputs[] = {tensor(product, shape.n), tensor(normed, shape.n), tensor(total, shape.m),
                                  tensor(at, shape.m)};
    const absl::Status status = Interpret(graph, shape, {inputs, outputs, {}}, threads, absl::InfiniteFuture());
    ASSERT_TRUE(status.ok()) << status;
  }

  GemmShape shape;
  Graph graph;
  std::vector<float> x, w, gain, scale, product, normed, total;
  std::vector<std::int32_t> at;
};

class RowGraphTest : public ::testing::TestWithParam<GemmShape> {};

TEST_P(RowGraphTest, GoesThroughTheWholeChain) {
  RowProblem problem(GetParam());
  problem.Run(3);
  const auto [m, n, k] = problem.shape;
  for (std::int64_t row = 0; row < m; ++row) {
    std::vector<double> values(static_cast<std::size_t>(n), 0);
    double squares = 0, total = 0;
    for (std::int64_t column = 0; column < n; ++column) {
      double& value = values[static_cast<std::size_t>(column)];
      for (std::int64_t i = 0; i < k; ++i) {
        value += static_cast<double>(problem.x[static_cast<std::size_t>(row * k + i)]) *
                 problem.w[static_cast<std::size_t>(i * n + column)];
      }
      ASSERT_NEAR(problem.product[static_cast<std::size_t>(row * n + column)], value, 1e-4);
      squares += value * value;
    }
    for (std::int64_t column = 0; column < n; ++column) {
      double& value = values[static_cast<std::size_t>(column)];
      value *= problem.gain[static_cast<std::size_t>(column)] / std::sqrt(squares / static_cast<double>(n) + 1e-5);
      ASSERT_NEAR(problem.normed[static_cast<std::size_t>(row * n + column)], value, 1e-4);
      total += value;
    }
    const auto r = static_cast<std::size_t>(row);
    ASSERT_NEAR(problem.total[r], total * problem.scale[r], 1e-3);
    const auto largest = std::ranges::max_element(values);
    ASSERT_EQ(problem.at[r], largest - values.begin());
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RowGraphTest,
                         ::testing::Values(GemmShape{1, 1, 3}, GemmShape{300, 5, 40}, GemmShape{37, 129, 65},
                                           GemmShape{19, 1300, 9}, GemmShape{3, 70000, 2}));

TEST(RowGraphTest, DoesNotDependOnTheNumberOfThreads) {
  RowProblem one({700, 300, 64}), many({700, 300, 64});
  one.Run(1);
  many.Run(5);
  EXPECT_EQ(one.normed, many.normed);
  EXPECT_EQ(one.total, many.total);
}

TEST(RowGraphTest, RowsWithoutColumnsHaveASum) {
  RowProblem problem({5, 0, 4});
  problem.graph.epilogue.resize(7);
  problem.graph.outputs.resize(3);
  problem.Run(2);
  EXPECT_THAT(problem.total, Each(0.0f));
}

TEST(RowGraphTest, WithoutAnyKTheRowsAreOfZeros) {
  RowProblem problem({5, 6, 0});
  problem.Run(2);
  EXPECT_THAT(problem.normed, Each(0.0f));
  EXPECT_THAT(problem.at, Each(0));
}

// Halves of 150 columns: relu(x) y, its softmax and the logsumexp of that.
TEST(RowGraphTest, GoesAlongTheHalvesThatAGateLeaves) {
  RowProblem problem({33, 300, 20});
  Graph& graph = problem.graph;
  graph.n = 300;
  graph.outputs = {{DType::kF32, {Axis::kM, Axis::kHalfN}}, {DType::kF32}, {DType::kF32, {Axis::kM}}};
  graph.epilogue = {{.kind = OpKind::kStore, .input = 0, .output = 1},
                    {.kind = OpKind::kReglu, .input = 1},
                    {.kind = OpKind::kSoftmax, .input = 2},
                    {.kind = OpKind::kStore, .input = 3, .output = 0},
                    {.kind = OpKind::kLogsumexp, .input = 4},
                    {.kind = OpKind::kStore, .input = 5, .output = 2}};
  std::vector<float> halves(33 * 150);
  const HostTensor inputs[] = {{reinterpret_cast<std::byte*>(problem.x.data()), 20},
                               {reinterpret_cast<std::byte*>(problem.w.data()), 300},
                               {reinterpret_cast<std::byte*>(problem.gain.data()), 300},
                               {reinterpret_cast<std::byte*>(problem.scale.data()), 33}};
  const HostTensor outputs[] = {{reinterpret_cast<std::byte*>(halves.data()), 150},
                                {reinterpret_cast<std::byte*>(problem.normed.data()), 300},
                                {reinterpret_cast<std::byte*>(problem.total.data()), 33}};
  ASSERT_TRUE(Interpret(graph, problem.shape, {inputs, outputs, {}}, 2, absl::InfiniteFuture()).ok());
  for (std::size_t row = 0; row < 33; ++row) {
    Row gated(150);
    for (std::size_t i = 0; i < 150; ++i) {
      const float* product = &problem.normed[row * 300];
      gated[i] = std::max(product[i], 0.0f) * product[i + 150];
    }
    const Row expected = Normalized(OpKind::kSoftmax, gated);
    for (std::size_t i = 0; i < 150; ++i) ASSERT_EQ(halves[row * 150 + i], expected[i]);
    ASSERT_EQ(problem.total[row], Reduced(OpKind::kLogsumexp, expected));
  }
}

}  // namespace
}  // namespace gemmd
