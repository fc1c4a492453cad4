#include "client/tensor/tensor.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace gemmd {
namespace {

// Copies a matrix of `rows` contiguous runs of `columns` elements to its transpose, in square blocks for the cache.
template <typename Element>
void Transpose(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kBlock = 32;
  constexpr auto kSize = static_cast<std::int64_t>(sizeof(Element));
  for (std::int64_t row0 = 0; row0 < rows; row0 += kBlock) {
    for (std::int64_t column0 = 0; column0 < columns; column0 += kBlock) {
      for (std::int64_t row = row0; row < std::min(rows, row0 + kBlock); ++row) {
        for (std::int64_t column = column0; column < std::min(columns, column0 + kBlock); ++column) {
          std::memcpy(to + (column * rows + row) * kSize, from + (row * columns + column) * kSize, kSize);
        }
      }
    }
  }
}

}  // namespace

std::int64_t ElementCount(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

Tensor MakeTensor(DType dtype, std::vector<std::int64_t> shape, Layout layout) {
  Tensor tensor{dtype, std::move(shape), layout, {}};
  tensor.bytes.resize(static_cast<std::size_t>(ElementCount(tensor.shape) * SizeBytes(dtype)));
  return tensor;
}

void Poison(Tensor& tensor) { std::fill(tensor.bytes.begin(), tensor.bytes.end(), std::byte{0xff}); }

Tensor InLayout(Tensor tensor, Layout layout) {
  if (tensor.layout == layout || tensor.shape.size() < 2) {
    tensor.layout = layout;
    return tensor;
  }
  Tensor result = MakeTensor(tensor.dtype, tensor.shape, layout);
  // The runs that lie contiguous: rows of a row-major matrix, columns of a column-major one.
  const bool by_rows = tensor.layout == Layout::kRowMajor;
  const std::int64_t runs = tensor.shape[by_rows ? 0 : 1];
  const std::int64_t run = tensor.shape[by_rows ? 1 : 0];
  if (SizeBytes(tensor.dtype) == 2) {
    Transpose<std::uint16_t>(tensor.bytes.data(), result.bytes.data(), runs, run);
  } else {
    Transpose<std::uint32_t>(tensor.bytes.data(), result.bytes.data(), runs, run);
  }
  return result;
}

}  // namespace gemmd
