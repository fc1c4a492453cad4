// Tensors in host memory, and their elements as f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "spec/dtype.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// Where a tensor lies; its dtype, layout and extents are the graph's. `leading_dimension` in elements, never 0.
struct HostTensor {
  std::byte* data = nullptr;
  std::int64_t leading_dimension = 1;
};

// A block of a matrix, in elements.
struct Block {
  std::int64_t row = 0, column = 0;
  std::int64_t rows = 0, columns = 0;
};

// Converts out.size() contiguous elements. Requires f32, f16 or bf16.
void LoadElements(DType dtype, const std::byte* source, std::span<float> out);
// Rounds to nearest even; to i32 takes whole numbers, of at most 2^24.
void StoreElements(DType dtype, std::span<const float> values, std::byte* target);

// The block's elements, in the matrix's own layout: `lines` of contiguous elements, packed.
void LoadBlock(DType dtype, Layout layout, const HostTensor& matrix, const Block& block, std::span<float> out);
// The same, row by row whatever the matrix's layout.
void LoadRows(DType dtype, Layout layout, const HostTensor& matrix, const Block& block, std::span<float> out);

}  // namespace gemmd
