#include "client/tensor/random_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "client/tensor/number_format.h"

namespace gemmd {
namespace {

Tensor Random(DType dtype, std::uint64_t seed, std::string_view stream, double scale = 1, int threads = 1) {
  Tensor tensor = MakeTensor(dtype, {1000, 300});
  FillRandom(tensor, seed, stream, scale, threads);
  return tensor;
}

TEST(RandomTensorTest, IsTheSameForEveryNumberOfThreads) {
  EXPECT_EQ(Random(DType::kF16, 7, "x", 1, 1).bytes, Random(DType::kF16, 7, "x", 1, 5).bytes);
}

TEST(RandomTensorTest, IsTheSameOnEveryMachine) {
  const Tensor tensor = Random(DType::kF32, 1, "x");
  const auto bits = [&](std::size_t i) {
    std::uint32_t word;
    std::memcpy(&word, tensor.bytes.data() + 4 * i, 4);
    return word;
  };
  EXPECT_EQ(bits(0), 0xbf0b9cb6u);
  EXPECT_EQ(bits(299999), 0x3f444f14u);
}

TEST(RandomTensorTest, SeedsAndStreamsDiffer) {
  const Tensor tensor = Random(DType::kF32, 1, "x");
  EXPECT_NE(tensor.bytes, Random(DType::kF32, 2, "x").bytes);
  EXPECT_NE(tensor.bytes, Random(DType::kF32, 1, "w").bytes);
}

TEST(RandomTensorTest, IsUniformInItsRange) {
  const Tensor tensor = Random(DType::kF32, 3, "x", 0.25);
  double sum = 0, squares = 0;
  const std::int64_t count = ElementCount(tensor.shape);
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = DecodeElement(tensor.bytes, tensor.dtype, i);
    ASSERT_GE(value, -0.25);
    ASSERT_LT(value, 0.25);
    sum += value;
    squares += value * value;
  }
  const double variance = 0.25 * 0.25 / 3, n = static_cast<double>(count);
  EXPECT_NEAR(sum / n, 0, 6 * std::sqrt(variance / n));
  EXPECT_NEAR(squares / n, variance, 0.02 * variance);
}

TEST(RandomTensorTest, ScalarsAreReproducible) {
  EXPECT_EQ(RandomScalar(5, "alpha"), RandomScalar(5, "alpha"));
  EXPECT_NE(RandomScalar(5, "alpha"), RandomScalar(5, "beta"));
}

}  // namespace
}  // namespace gemmd
