// Tensor maps: what the copy engine of sm_90 and later needs to know of a matrix.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "cuda/driver.h"
#include "spec/dtype.h"

namespace gemmd {

// A matrix in device memory and the box that one copy moves. Counts are of elements.
struct MappedMatrix {
  DType dtype = DType::kF16;
  std::uint64_t address = 0;           // a multiple of 16
  std::int64_t line_elements = 0;      // of a contiguous line; 0 counts as 1
  std::int64_t lines = 0;              // likewise
  std::int64_t leading_dimension = 0;  // a multiple of 16 bytes
  std::int64_t box_contiguous = 0, box_lines = 0;
  int swizzle_bytes = 0;         // 0, 32, 64 or 128
  int l2_promotion_bytes = 256;  // what L2 fetches at least of a line: 128 or 256
};

// What lies outside the matrix reads as zero. Errors: InvalidArgument (a dtype, swizzle or promotion without a map),
// the driver's.
absl::StatusOr<CUtensorMap> EncodeTensorMap(const Driver& driver, const MappedMatrix& matrix);

}  // namespace gemmd
