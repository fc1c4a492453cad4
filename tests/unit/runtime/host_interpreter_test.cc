// The interpreter against plain loops in double that share no code with it.
#include "runtime/host_interpreter.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <tuple>

namespace gemmd {
namespace {

constexpr std::uint32_t kPoison = 0x7fc0dead;  // a NaN in every type that reads a part of it

double Decode(DType dtype, const std::byte* at) {
  if (dtype == DType::kF32) return std::bit_cast<float>(*reinterpret_cast<const std::uint32_t*>(at));
  const std::uint16_t bits = *reinterpret_cast<const std::uint16_t*>(at);
  if (dtype == DType::kBf16) return std::bit_cast<float>(std::uint32_t{bits} << 16);
  return static_cast<double>(std::bit_cast<_Float16>(bits));
}

void Encode(DType dtype, float value, std::byte* at) {
  if (dtype == DType::kF32) {
    std::memcpy(at, &value, 4);
  } else if (dtype == DType::kF16) {
    const auto half = static_cast<_Float16>(value);
    std::memcpy(at, &half, 2);
  } else {  // truncation: the tests only encode what need not be exact
    const auto bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
    std::memcpy(at, &bits, 2);
  }
}

// A matrix with `padding` elements after each line, and those poisoned.
struct TestMatrix {
  DType dtype;
  Layout layout;
  std::int64_t rows, columns, leading_dimension;
  std::vector<std::byte> bytes;

  TestMatrix(DType type, Layout order, std::int64_t row_count, std::int64_t column_count, std::int64_t padding)
      : dtype(type), layout(order), rows(row_count), columns(column_count) {
    leading_dimension = std::max<std::int64_t>((order == Layout::kRowMajor ? columns : rows) + padding, 1);
    const std::int64_t lines = order == Layout::kRowMajor ? rows : columns;
    bytes.resize(static_cast<std::size_t>(std::max<std::int64_t>(lines * leading_dimension * SizeBytes(type), 4)));
    for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) std::memcpy(bytes.data() + i, &kPoison, 4);
  }
  std::byte* At(std::int64_t row, std::int64_t column) {
    const std::int64_t element =
        layout == Layout::kRowMajor ? row * leading_dimension + column : column * leading_dimension + row;
    return bytes.data() + element * SizeBytes(dtype);
  }
  double Value(std::int64_t row, std::int64_t column) { return Decode(dtype, At(row, column)); }
  void Fill(std::mt19937& random) {
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) Encode(dtype, uniform(random), At(row, column));
    }
  }
  HostTensor Tensor() { return {bytes.data(), leading_dimension}; }
};

Node Binary(OpKind kind, int input, int operand, Broadcast broadcast, float scale = 1.0f) {
  Node node;
  node.kind = kind;
  node.input = input;
  node.operand = operand;
  node.scale = scale;
  node.broadcast = broadcast;
  return node;
}

Node Literal(OpKind kind, int input, float literal) {
  Node node;
  node.kind = kind;
  node.input = input;
  node.literal = literal;
  return node;
}

Node Unary(OpKind kind, int input, DType dtype = DType::kF32) {
  Node node;
  node.kind = kind;
  node.input = input;
  node.dtype = dtype;
  return node;
}

Node Store(int input, int output, DType dtype) {
  Node node = Unary(OpKind::kStore, input, dtype);
  node.output = output;
  return node;
}

GraphInput Matrix(DType dtype, Layout layout, Axis rows, Axis columns) { return {dtype, layout, {rows, columns}}; }

Graph Product(DType dtype, Layout a, Layout b, DType output) {
  Graph graph;
  graph.a = 0;
  graph.b = 1;
  graph.inputs = {Matrix(dtype, a, Axis::kM, Axis::kK), Matrix(dtype, b, Axis::kK, Axis::kN)};
  graph.outputs = {{output}};
  graph.epilogue = {Store(0, 0, output)};
  return graph;
}

using ProductCase = std::tuple<DType, Layout, Layout, GemmShape>;
class ProductTest : public ::testing::TestWithParam<ProductCase> {};

TEST_P(ProductTest, AgreesWithPlainLoops) {
  const auto& [dtype, a_layout, b_layout, shape] = GetParam();
  std::mt19937 random(7);
  TestMatrix a(dtype, a_layout, shape.m, shape.k, 3);
  TestMatrix b(dtype, b_layout, shape.k, shape.n, 1);
  TestMatrix out(DType::kF32, Layout::kRowMajor, shape.m, shape.n, 2);
  a.Fill(random);
  b.Fill(random);
  const HostTensor inputs[] = {a.Tensor(), b.Tensor()};
  const HostTensor outputs[] = {out.Tensor()};
  const Graph graph = Product(dtype, a_layout, b_layout, DType::kF32);
  ASSERT_TRUE(Interpret(graph, shape, {inputs, outputs, {}}, 2, absl::InfiniteFuture()).ok());
  for (std::int64_t row = 0; row < shape.m; ++row) {
    for (std::int64_t column = 0; column < shape.n; ++column) {
      double sum = 0, magnitude = 0;
      for (std::int64_t k = 0; k < shape.k; ++k) {
        const double term = a.Value(row, k) * b.Value(k, column);
        sum += term;
        magnitude += std::abs(term);
      }
      const double tolerance = 0x1p-24 * std::abs(sum) + 4 * 0x1p-24 * std::sqrt(double(shape.k)) * magnitude;
      ASSERT_NEAR(out.Value(row, column), sum, tolerance) << row << ", " << column;
    }
  }
  for (std::int64_t row = 0; row + 1 < shape.m; ++row) {
    ASSERT_TRUE(std::isnan(out.Value(row, shape.n))) << "the padding of row " << row << " was written";
  }
}

INSTANTIATE_TEST_SUITE_P(RaggedShapes, ProductTest,
                         ::testing::Combine(::testing::Values(DType::kF32, DType::kF16, DType::kBf16),
                                            ::testing::Values(Layout::kRowMajor, Layout::kColumnMajor),
                                            ::testing::Values(Layout::kRowMajor, Layout::kColumnMajor),
                                            ::testing::Values(GemmShape{1, 1, 1}, GemmShape{1, 130, 17},
                                                              GemmShape{259, 1, 5}, GemmShape{5, 7, 1029},
                                                              GemmShape{257, 129, 33})));

// Each factor through a chain with a vector of [K], a row of one matrix and a column of the other.
class PrologueTest : public ::testing::TestWithParam<ProductCase> {};

TEST_P(PrologueTest, AgreesWithPlainLoops) {
  const auto& [dtype, a_layout, b_layout, shape] = GetParam();
  std::mt19937 random(13);
  TestMatrix a(dtype, a_layout, shape.m, shape.k, 3), b(dtype, b_layout, shape.k, shape.n, 1);
  TestMatrix vector(DType::kF32, Layout::kRowMajor, 1, shape.k, 0);
  TestMatrix out(DType::kF32, Layout::kRowMajor, shape.m, shape.n, 2);
  for (TestMatrix* matrix : {&a, &b, &vector}) matrix->Fill(random);
  Graph graph = Product(dtype, a_layout, b_layout, DType::kF32);
  graph.inputs.push_back({DType::kF32, Layout::kRowMajor, {Axis::kK}});
  graph.prologue_a = {Binary(OpKind::kMul, 0, 2, Broadcast::kRow, 0.5f), Literal(OpKind::kAdd, 1, 0.375f)};
  graph.prologue_b = {Literal(OpKind::kMul, 0, 0.75f), Binary(OpKind::kAdd, 1, 2, Broadcast::kColumn),
                      Binary(OpKind::kMul, 2, 1, Broadcast::kFull)};
  const HostTensor inputs[] = {a.Tensor(), b.Tensor(), vector.Tensor()};
  const HostTensor outputs[] = {out.Tensor()};
  ASSERT_TRUE(Interpret(graph, shape, {inputs, outputs, {}}, 2, absl::InfiniteFuture()).ok());
  const double unit = dtype == DType::kF32 ? 0x1p-24 : dtype == DType::kF16 ? 0x1p-11 : 0x1p-8;
  for (std::int64_t row = 0; row < shape.m; ++row) {
    for (std::int64_t column = 0; column < shape.n; ++column) {
      double sum = 0, magnitude = 0;
      for (std::int64_t k = 0; k < shape.k; ++k) {
        const double left = a.Value(row, k) * 0.5 * vector.Value(0, k) + 0.375;
        const double right = (b.Value(k, column) * 0.75 + vector.Value(0, k)) * b.Value(k, column);
        sum += left * right;
        magnitude += std::abs(left * right) + 0x1p-10;  // what small sums of larger terms lose is absolute
      }
      const double tolerance = (2.5 * unit + 4 * 0x1p-24 * std::sqrt(double(shape.k))) * magnitude;
      ASSERT_NEAR(out.Value(row, column), sum, tolerance) << row << ", " << column;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(RaggedShapes, PrologueTest,
                         ::testing::Combine(::testing::Values(DType::kF32, DType::kF16, DType::kBf16),
                                            ::testing::Values(Layout::kRowMajor, Layout::kColumnMajor),
                                            ::testing::Values(Layout::kRowMajor, Layout::kColumnMajor),
                                            ::testing::Values(GemmShape{1, 1, 1}, GemmShape{5, 7, 1029},
                                                              GemmShape{257, 129, 33})));

TEST(InterpretTest, RoundsAProloguesResultOnceToTheTypeOfTheMultiply) {
  const std::int64_t k = 64;
  TestMatrix a(DType::kF16, Layout::kRowMajor, 1, k, 0), b(DType::kF16, Layout::kRowMajor, k, k, 0);
  TestMatrix out(DType::kF32, Layout::kRowMajor, 1, k, 0);
  std::mt19937 random(17);
  a.Fill(random);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < k; ++j) Encode(DType::kF16, i == j ? 1 : 0, b.At(i, j));
  }
  Graph graph = Product(DType::kF16, Layout::kRowMajor, Layout::kRowMajor, DType::kF32);
  graph.prologue_a = {Literal(OpKind::kMul, 0, 1.1f), Literal(OpKind::kMul, 1, 1.3f)};
  const HostTensor inputs[] = {a.Tensor(), b.Tensor()};
  const HostTensor outputs[] = {out.Tensor()};
  ASSERT_TRUE(Interpret(graph, {1, k, k}, {inputs, outputs, {}}, 1, absl::InfiniteFuture()).ok());
  for (std::int64_t i = 0; i < k; ++i) {
    const float exact = static_cast<float>(a.Value(0, i)) * 1.1f * 1.3f;
    EXPECT_EQ(out.Value(0, i), static_cast<float>(static_cast<_Float16>(exact))) << i;
  }
}

// Operands of every broadcast, each with its own type.
class ChainTest : public ::testing::Test {
 protected:
  static constexpr GemmShape kShape{37, 141, 9};

  ChainTest() {
    graph_.a = 0;
    graph_.b = 1;
    graph_.inputs = {Matrix(DType::kF32, Layout::kRowMajor, Axis::kM, Axis::kK),
                     Matrix(DType::kF32, Layout::kRowMajor, Axis::kK, Axis::kN),
                     {DType::kBf16, Layout::kRowMajor, {Axis::kN}},
                     {DType::kF16, Layout::kRowMajor, {Axis::kM}},
                     Matrix(DType::kF16, Layout::kColumnMajor, Axis::kM, Axis::kN),
                     {DType::kF32, Layout::kRowMajor, {}}};
    std::mt19937 random(11);
    for (TestMatrix* matrix : {&a_, &b_, &row_, &column_, &full_}) matrix->Fill(random);
  }

  double Accumulator(std::int64_t row, std::int64_t column) {
    double sum = 0;
    for (std::int64_t k = 0; k < kShape.k; ++k) sum += a_.Value(row, k) * b_.Value(k, column);
    return sum;
  }

  absl::Status Run(std::vector<TestMatrix*> outputs) {
    const HostTensor inputs[] = {a_.Tensor(),      b_.Tensor(),    row_.Tensor(),
                                 column_.Tensor(), full_.Tensor(), HostTensor{}};
    std::vector<HostTensor> targets;
    graph_.outputs.clear();
    for (TestMatrix* output : outputs) {
      targets.push_back(output->Tensor());
      graph_.outputs.push_back({output->dtype});
    }
    const float scalars[] = {0, 0, 0, 0, 0, kScalar};
    return Interpret(graph_, kShape, {inputs, targets, scalars}, 2, absl::InfiniteFuture());
  }

  void ExpectAll(TestMatrix& output, double unit,
                 const std::function<double(std::int64_t row, std::int64_t column)>& expected) {
    for (std::int64_t row = 0; row < kShape.m; ++row) {
      for (std::int64_t column = 0; column < kShape.n; ++column) {
        const double value = expected(row, column);
        ASSERT_NEAR(output.Value(row, column), value, unit * std::abs(value) + 0x1p-18) << row << ", " << column;
      }
    }
  }

  static constexpr float kScalar = 0.75f;
  Graph graph_;
  TestMatrix a_{DType::kF32, Layout::kRowMajor, kShape.m, kShape.k, 0};
  TestMatrix b_{DType::kF32, Layout::kRowMajor, kShape.k, kShape.n, 0};
  TestMatrix row_{DType::kBf16, Layout::kRowMajor, 1, kShape.n, 0};
  TestMatrix column_{DType::kF16, Layout::kRowMajor, 1, kShape.m, 0};
  TestMatrix full_{DType::kF16, Layout::kColumnMajor, kShape.m, kShape.n, 5};
  TestMatrix out_{DType::kF32, Layout::kRowMajor, kShape.m, kShape.n, 0};
  TestMatrix half_{DType::kF16, Layout::kRowMajor, kShape.m, kShape.n, 0};
};

TEST_F(ChainTest, SpreadsEveryKindOfOperand) {
  graph_.epilogue = {Binary(OpKind::kAdd, 0, 2, Broadcast::kRow, 2.0f),
                     Binary(OpKind::kMul, 1, 3, Broadcast::kColumn),
                     Binary(OpKind::kSub, 2, 4, Broadcast::kFull, 0.5f),
                     Binary(OpKind::kMul, 3, 5, Broadcast::kScalar, 4.0f),
                     Literal(OpKind::kAdd, 4, 1.25f),
                     Store(5, 0, DType::kF32)};
  ASSERT_TRUE(Run({&out_}).ok());
  ExpectAll(out_, 0, [&](std::int64_t row, std::int64_t column) {
    const double sum = Accumulator(row, column) + 2 * row_.Value(0, column);
    return (sum * column_.Value(0, row) - 0.5 * full_.Value(row, column)) * 4 * kScalar + 1.25;
  });
}

TEST_F(ChainTest, StoresValuesWhereTheChainHasThem) {
  graph_.epilogue = {Literal(OpKind::kMul, 0, 2.0f), Store(1, 0, DType::kF16), Unary(OpKind::kRelu, 2),
                     Store(3, 1, DType::kF32)};
  ASSERT_TRUE(Run({&half_, &out_}).ok());
  ExpectAll(half_, 0x1p-11, [&](std::int64_t row, std::int64_t column) { return 2 * Accumulator(row, column); });
  ExpectAll(out_, 0,
            [&](std::int64_t row, std::int64_t column) { return std::max(0.0, 2 * Accumulator(row, column)); });
}

TEST_F(ChainTest, KeepsAValueForALaterReader) {
  // relu of the accumulator, then of a value three operations back: the scratch arrays must not be reused too early.
  graph_.epilogue = {Literal(OpKind::kAdd, 0, 1.0f), Unary(OpKind::kRelu, 0),        Literal(OpKind::kMul, 2, 3.0f),
                     Unary(OpKind::kTanh, 1),        Literal(OpKind::kMul, 4, 2.0f), Store(1, 0, DType::kF32),
                     Store(3, 1, DType::kF32),       Store(5, 2, DType::kF32)};
  TestMatrix second = out_;
  TestMatrix third = out_;
  ASSERT_TRUE(Run({&out_, &second, &third}).ok());
  ExpectAll(out_, 0, [&](std::int64_t row, std::int64_t column) { return Accumulator(row, column) + 1; });
  ExpectAll(second, 0,
            [&](std::int64_t row, std::int64_t column) { return 3 * std::max(0.0, Accumulator(row, column)); });
  ExpectAll(third, 0,
            [&](std::int64_t row, std::int64_t column) { return 2 * std::tanh(Accumulator(row, column) + 1); });
}

TEST_F(ChainTest, JoinsEarlierValues) {
  // acc * relu(acc + 1) - 2 (acc + 1): the arrays of both values must live until the last that takes them.
  const auto joined = [](OpKind kind, int input, int value, float scale = 1.0f) {
    return Node{.kind = kind, .input = input, .operand_value = value, .scale = scale};
  };
  graph_.epilogue = {Literal(OpKind::kAdd, 0, 1.0f), Unary(OpKind::kRelu, 1),          joined(OpKind::kMul, 2, 0),
                     Unary(OpKind::kNeg, 2),         joined(OpKind::kSub, 3, 1, 2.0f), Store(5, 0, DType::kF32),
                     Store(4, 1, DType::kF32)};
  TestMatrix negated = out_;
  ASSERT_TRUE(Run({&out_, &negated}).ok());
  ExpectAll(out_, 0, [&](std::int64_t row, std::int64_t column) {
    const double sum = Accumulator(row, column);
    return sum * std::max(0.0, sum + 1) - 2 * (sum + 1);
  });
  ExpectAll(negated, 0,
            [&](std::int64_t row, std::int64_t column) { return -std::max(0.0, Accumulator(row, column) + 1); });
}

TEST_F(ChainTest, SelectsByEveryKindOfCondition) {
  const auto where = [](int input, const Reference& condition) {
    return Node{.kind = OpKind::kWhere, .input = input, .condition = condition};
  };
  Node by_value = where(0, {.value = 2}), by_row = where(3, {2, Broadcast::kRow});
  Node by_full = where(4, {4, Broadcast::kFull}), by_scalar = where(5, {5, Broadcast::kScalar});
  by_value.operand = 3;
  by_value.broadcast = Broadcast::kColumn;
  by_row.operand_value = 0;
  by_full.operand = 5;
  by_full.scale = 2.0f;
  by_scalar.literal = 7.0f;
  for (std::int64_t i = 0; i < kShape.n; i += 3) Encode(row_.dtype, 0.0f, row_.At(0, i));
  for (std::int64_t i = 0; i < kShape.m; i += 2) Encode(full_.dtype, 0.0f, full_.At(i, 5));
  graph_.epilogue = {Binary(OpKind::kAdd, 0, 4, Broadcast::kFull),
                     Literal(OpKind::kGt, 1, 0.25f),
                     by_value,
                     by_row,
                     by_full,
                     by_scalar,
                     Store(6, 0, DType::kF32)};
  ASSERT_TRUE(Run({&out_}).ok());
  ExpectAll(out_, 0, [&](std::int64_t row, std::int64_t column) {
    const double sum = Accumulator(row, column);
    if (row % 2 == 0 && column == 5) return 2.0 * kScalar;
    if (column % 3 == 0) return sum;
    return sum + full_.Value(row, column) > 0.25 ? sum : column_.Value(0, row);
  });
}

TEST(InterpretTest, MultipliesTheHalvesOfAGate) {
  const GemmShape shape{37, 2 * 141, 1030};  // halves of more than a tile
  const std::int64_t half = shape.n / 2;
  std::mt19937 random(13);
  TestMatrix a(DType::kF16, Layout::kRowMajor, shape.m, shape.k, 0),
      b(DType::kF16, Layout::kColumnMajor, shape.k, shape.n, 3);
  TestMatrix bias(DType::kF32, Layout::kRowMajor, 1, shape.n, 0),
      residual(DType::kF16, Layout::kRowMajor, shape.m, half, 1);
  TestMatrix gain(DType::kF32, Layout::kRowMajor, 1, half, 0);
  for (TestMatrix* matrix : {&a, &b, &bias, &residual, &gain}) matrix->Fill(random);
  TestMatrix sum(DType::kF32, Layout::kRowMajor, shape.m, shape.n, 2),
      out(DType::kF32, Layout::kRowMajor, shape.m, half, 5);
  Graph graph = Product(DType::kF16, Layout::kRowMajor, Layout::kColumnMajor, DType::kF32);
  graph.n = shape.n;
  graph.inputs.push_back({DType::kF32, Layout::kRowMajor, {Axis::kN}});
  graph.inputs.push_back({DType::kF16, Layout::kRowMajor, {Axis::kM, Axis::kHalfN}});
  graph.inputs.push_back({DType::kF32, Layout::kRowMajor, {Axis::kHalfN}});
  graph.outputs.push_back({DType::kF32, {Axis::kM, Axis::kHalfN}});
  // The gate takes a value that is not the last, and the chain goes on with more of them.
  graph.epilogue = {Binary(OpKind::kAdd, 0, 2, Broadcast::kRow),
                    Literal(OpKind::kMul, 1, 3.0f),
                    Unary(OpKind::kNeg, 2),
                    Store(1, 0, DType::kF32),
                    Unary(OpKind::kReglu, 1),
                    Binary(OpKind::kMul, 5, 4, Broadcast::kRow),
                    Binary(OpKind::kSub, 6, 3, Broadcast::kFull),
                    Node{.kind = OpKind::kMul, .input = 7, .operand_value = 5},
                    Store(8, 1, DType::kF32)};
  const HostTensor inputs[] = {a.Tensor(), b.Tensor(), bias.Tensor(), residual.Tensor(), gain.Tensor()};
  const HostTensor outputs[] = {sum.Tensor(), out.Tensor()};
  ASSERT_TRUE(Interpret(graph, shape, {inputs, outputs, {}}, 2, absl::InfiniteFuture()).ok());
  const auto value = [&](std::int64_t row, std::int64_t column) {
    double total = bias.Value(0, column);
    for (std::int64_t k = 0; k < shape.k; ++k) total += a.Value(row, k) * b.Value(k, column);
    return total;
  };
  for (std::int64_t row = 0; row < shape.m; ++row) {
    for (std::int64_t column = 0; column < half; ++column) {
      const double left = value(row, column), right = value(row, column + half);
      ASSERT_NEAR(sum.Value(row, column), left, 1e-3);
      ASSERT_NEAR(sum.Value(row, column + half), right, 1e-3);
      const double gated = std::max(left, 0.0) * right;
      const double expected = (gated * gain.Value(0, column) - residual.Value(row, column)) * gated;
      ASSERT_NEAR(out.Value(row, column), expected, 1e-3 * (1 + std::abs(expected))) << row << ", " << column;
    }
    if (row + 1 == shape.m) continue;
    ASSERT_TRUE(std::isnan(out.Value(row, half))) << "the padding of row " << row << " was written";
  }
}

TEST_F(ChainTest, RoundsOnlyWhereTheChainCasts) {
  graph_.epilogue = {Unary(OpKind::kCast, 0, DType::kF16), Store(1, 0, DType::kF32)};
  ASSERT_TRUE(Run({&out_}).ok());
  for (std::int64_t row = 0; row < kShape.m; ++row) {
    const auto value = static_cast<float>(out_.Value(row, 0));
    ASSERT_EQ(value, static_cast<float>(static_cast<_Float16>(value)));
  }
  ExpectAll(out_, 0x1p-11, [&](std::int64_t row, std::int64_t column) { return Accumulator(row, column); });
}

TEST_F(ChainTest, AnOutputMayLieOnAFullOperand) {
  graph_.inputs[4] = Matrix(DType::kF32, Layout::kRowMajor, Axis::kM, Axis::kN);
  std::mt19937 random(3);
  TestMatrix residual(DType::kF32, Layout::kRowMajor, kShape.m, kShape.n, 0);
  residual.Fill(random);
  TestMatrix in_place = residual;
  full_ = in_place;
  // The store comes first, the operand's use after it: the operand is read before anything is written.
  graph_.epilogue = {Store(0, 0, DType::kF32), Binary(OpKind::kAdd, 0, 4, Broadcast::kFull), Store(2, 1, DType::kF32)};
  ASSERT_TRUE(Run({&full_, &out_}).ok());
  ExpectAll(full_, 0, [&](std::int64_t row, std::int64_t column) { return Accumulator(row, column); });
  ExpectAll(out_, 0, [&](std::int64_t row, std::int64_t column) {
    return Accumulator(row, column) + residual.Value(row, column);
  });
}

TEST(InterpretTest, WithoutAnyKTheChainStartsFromZeros) {
  Graph graph = Product(DType::kF16, Layout::kRowMajor, Layout::kRowMajor, DType::kF32);
  graph.epilogue = {Literal(OpKind::kAdd, 0, 3.0f), Store(1, 0, DType::kF32)};
  TestMatrix out(DType::kF32, Layout::kRowMajor, 5, 6, 0);
  const HostTensor inputs[] = {HostTensor{}, HostTensor{}};
  const HostTensor outputs[] = {out.Tensor()};
  ASSERT_TRUE(Interpret(graph, {5, 6, 0}, {inputs, outputs, {}}, 2, absl::InfiniteFuture()).ok());
  for (std::int64_t row = 0; row < 5; ++row) {
    for (std::int64_t column = 0; column < 6; ++column) EXPECT_EQ(out.Value(row, column), 3.0);
  }
}

TEST(InterpretTest, WritesNothingWhereThereIsNoResult) {
  const Graph graph = Product(DType::kF16, Layout::kRowMajor, Layout::kRowMajor, DType::kF32);
  const HostTensor inputs[] = {HostTensor{}, HostTensor{}};
  const HostTensor outputs[] = {HostTensor{}};
  EXPECT_TRUE(Interpret(graph, {0, 6, 4}, {inputs, outputs, {}}, 2, absl::InfiniteFuture()).ok());
  EXPECT_TRUE(Interpret(graph, {6, 0, 4}, {inputs, outputs, {}}, 2, absl::InfiniteFuture()).ok());
}

TEST(InterpretTest, DoesNotDependOnTheNumberOfThreads) {
  const GemmShape shape{300, 270, 1100};
  std::mt19937 random(5);
  TestMatrix a(DType::kF32, Layout::kRowMajor, shape.m, shape.k, 0);
  TestMatrix b(DType::kF32, Layout::kRowMajor, shape.k, shape.n, 0);
  a.Fill(random);
  b.Fill(random);
  const HostTensor inputs[] = {a.Tensor(), b.Tensor()};
  const Graph graph = Product(DType::kF32, Layout::kRowMajor, Layout::kRowMajor, DType::kF32);
  std::vector<TestMatrix> results(2, TestMatrix(DType::kF32, Layout::kRowMajor, shape.m, shape.n, 0));
  for (int i = 0; i < 2; ++i) {
    const HostTensor outputs[] = {results[static_cast<std::size_t>(i)].Tensor()};
    ASSERT_TRUE(Interpret(graph, shape, {inputs, outputs, {}}, 1 + 4 * i, absl::InfiniteFuture()).ok());
  }
  EXPECT_EQ(results[0].bytes, results[1].bytes);
}

TEST(InterpretTest, StopsAtItsDeadline) {
  const GemmShape shape{512, 512, 4096};
  TestMatrix a(DType::kF32, Layout::kRowMajor, shape.m, shape.k, 0);
  TestMatrix b(DType::kF32, Layout::kRowMajor, shape.k, shape.n, 0);
  TestMatrix out(DType::kF32, Layout::kRowMajor, shape.m, shape.n, 0);
  const HostTensor inputs[] = {a.Tensor(), b.Tensor()};
  const HostTensor outputs[] = {out.Tensor()};
  const Graph graph = Product(DType::kF32, Layout::kRowMajor, Layout::kRowMajor, DType::kF32);
  EXPECT_EQ(Interpret(graph, shape, {inputs, outputs, {}}, 2, absl::Now()).code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace gemmd
