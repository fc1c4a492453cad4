// A tensor in host memory: contiguous in its layout, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "spec/dtype.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// Someone else's memory, seen as a tensor. `shape` is logical: the layout says how it lies.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  // [] scalar, [n] vector, [rows, columns] matrix
  Layout layout = Layout::kRowMajor;
  std::span<const std::byte> bytes;
};

struct Tensor {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  Layout layout = Layout::kRowMajor;
  std::vector<std::byte> bytes;

  TensorView view() const { return {dtype, shape, layout, bytes}; }
};

// 1 for a scalar.
std::int64_t ElementCount(std::span<const std::int64_t> shape);

// Zeroed.
Tensor MakeTensor(DType dtype, std::vector<std::int64_t> shape, Layout layout = Layout::kRowMajor);

// Every byte 0xff: a NaN, in i32 a negative index, so an element that nobody wrote can't pass for a result.
void Poison(Tensor& tensor);

// The same logical tensor with its elements in `layout`. Needs the memory of both only when they differ.
Tensor InLayout(Tensor tensor, Layout layout);

}  // namespace gemmd
