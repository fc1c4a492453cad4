#include "client/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "client/tensor/number_format.h"

namespace gemmd {
namespace {

TEST(TensorTest, ChangesLayoutAndBack) {
  Tensor tensor = MakeTensor(DType::kF16, {37, 70});
  for (std::size_t i = 0; i < tensor.bytes.size(); ++i) tensor.bytes[i] = static_cast<std::byte>(i * 31 >> 3);
  const Tensor columns = InLayout(tensor, Layout::kColumnMajor);
  EXPECT_EQ(columns.layout, Layout::kColumnMajor);
  EXPECT_EQ(columns.bytes[2 * (3 * 37 + 5)], tensor.bytes[2 * (5 * 70 + 3)]);
  EXPECT_EQ(InLayout(columns, Layout::kRowMajor).bytes, tensor.bytes);
}

TEST(TensorTest, PoisonIsNanInEveryDtype) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBf16}) {
    Tensor tensor = MakeTensor(dtype, {3});
    Poison(tensor);
    EXPECT_TRUE(std::isnan(DecodeElement(tensor.bytes, dtype, 2)));
  }
}

}  // namespace
}  // namespace gemmd
