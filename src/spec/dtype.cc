#include "spec/dtype.h"

namespace gemmd {

std::string_view Name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF16:
      return "f16";
    case DType::kBf16:
      return "bf16";
    case DType::kF8E4M3:
      return "f8e4m3";
    case DType::kF8E5M2:
      return "f8e5m2";
    case DType::kI8:
      return "i8";
    case DType::kI32:
      return "i32";
  }
  return "";
}

std::span<const DType> AllDTypes() {
  static constexpr DType kAll[] = {DType::kF32,    DType::kF16, DType::kBf16, DType::kF8E4M3,
                                   DType::kF8E5M2, DType::kI8,  DType::kI32};
  return kAll;
}

std::optional<DType> DTypeFromName(std::string_view name) {
  for (DType dtype : AllDTypes()) {
    if (Name(dtype) == name) return dtype;
  }
  return std::nullopt;
}

std::int64_t SizeBytes(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF16:
    case DType::kBf16:
      return 2;
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
      return 1;
  }
  return 0;
}

bool IsImplemented(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBf16; }

bool IsStorable(DType dtype) { return IsImplemented(dtype) || dtype == DType::kI32; }

double UnitRoundoff(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 0x1p-24;
    case DType::kF16:
      return 0x1p-11;
    case DType::kBf16:
      return 0x1p-8;
    case DType::kF8E4M3:
      return 0x1p-4;
    case DType::kF8E5M2:
      return 0x1p-3;
    case DType::kI8:
    case DType::kI32:
      return 0.5;  // an integer store rounds to the nearest: half a unit, absolute
  }
  return 0;
}

}  // namespace gemmd
