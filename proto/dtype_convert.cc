#include "proto/dtype_convert.h"

namespace gemmd {

std::optional<DType> FromProto(v1::DType dtype) {
  switch (dtype) {
    case v1::F32:
      return DType::kF32;
    case v1::F16:
      return DType::kF16;
    case v1::BF16:
      return DType::kBf16;
    case v1::F8E4M3:
      return DType::kF8E4M3;
    case v1::F8E5M2:
      return DType::kF8E5M2;
    case v1::I8:
      return DType::kI8;
    case v1::I32:
      return DType::kI32;
    case v1::DTYPE_UNSPECIFIED:
    case v1::DType_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::DType_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return std::nullopt;
}

v1::DType ToProto(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return v1::F32;
    case DType::kF16:
      return v1::F16;
    case DType::kBf16:
      return v1::BF16;
    case DType::kF8E4M3:
      return v1::F8E4M3;
    case DType::kF8E5M2:
      return v1::F8E5M2;
    case DType::kI8:
      return v1::I8;
    case DType::kI32:
      return v1::I32;
  }
  return v1::DTYPE_UNSPECIFIED;
}

}  // namespace gemmd
