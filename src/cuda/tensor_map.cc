#include "cuda/tensor_map.h"

#include <algorithm>

#include "base/status.h"
#include "cuda/status.h"

namespace gemmd {
namespace {

absl::StatusOr<CUtensorMapDataType> DataType(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
    case DType::kF16:
      return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    case DType::kBf16:
      return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
    case DType::kI32:
      break;
  }
  return InvalidArgument("no tensor map for {}", Name(dtype));
}

absl::StatusOr<CUtensorMapSwizzle> Swizzle(int bytes) {
  switch (bytes) {
    case 0:
      return CU_TENSOR_MAP_SWIZZLE_NONE;
    case 32:
      return CU_TENSOR_MAP_SWIZZLE_32B;
    case 64:
      return CU_TENSOR_MAP_SWIZZLE_64B;
    case 128:
      return CU_TENSOR_MAP_SWIZZLE_128B;
  }
  return InvalidArgument("no tensor map with a swizzle of {} bytes", bytes);
}

absl::StatusOr<CUtensorMapL2promotion> Promotion(int bytes) {
  if (bytes == 128) return CU_TENSOR_MAP_L2_PROMOTION_L2_128B;
  if (bytes == 256) return CU_TENSOR_MAP_L2_PROMOTION_L2_256B;
  return InvalidArgument("no tensor map with an L2 promotion of {} bytes", bytes);
}

cuuint64_t AtLeastOne(std::int64_t extent) { return static_cast<cuuint64_t>(std::max<std::int64_t>(extent, 1)); }

}  // namespace

absl::StatusOr<CUtensorMap> EncodeTensorMap(const Driver& driver, const MappedMatrix& matrix) {
  GEMMD_ASSIGN_OR_RETURN(const CUtensorMapDataType data_type, DataType(matrix.dtype));
  GEMMD_ASSIGN_OR_RETURN(const CUtensorMapSwizzle swizzle, Swizzle(matrix.swizzle_bytes));
  GEMMD_ASSIGN_OR_RETURN(const CUtensorMapL2promotion promotion, Promotion(matrix.l2_promotion_bytes));
  const cuuint64_t extents[2] = {AtLeastOne(matrix.line_elements), AtLeastOne(matrix.lines)};
  const cuuint64_t strides[1] = {AtLeastOne(matrix.leading_dimension) *
                                 static_cast<cuuint64_t>(SizeBytes(matrix.dtype))};
  const cuuint32_t box[2] = {static_cast<cuuint32_t>(matrix.box_contiguous), static_cast<cuuint32_t>(matrix.box_lines)};
  const cuuint32_t steps[2] = {1, 1};
  CUtensorMap map;
  void* const address = reinterpret_cast<void*>(matrix.address);
  GEMMD_CUDA_RETURN_IF_ERROR(driver, TensorMapEncodeTiled, &map, data_type, 2, address, extents, strides, box, steps,
                             CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, promotion, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return map;
}

}  // namespace gemmd
