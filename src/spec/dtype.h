// Element types as the spec names them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace gemmd {

// The wire reserves the 8-bit types; IsImplemented tells what the pipeline computes today.
enum class DType { kF32, kF16, kBf16, kF8E4M3, kF8E5M2, kI8, kI32 };

std::string_view Name(DType dtype);  // "f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i8", "i32"
std::span<const DType> AllDTypes();
std::optional<DType> DTypeFromName(std::string_view name);
std::int64_t SizeBytes(DType dtype);
bool IsImplemented(DType dtype);  // f32, f16, bf16
bool IsStorable(DType dtype);     // those, and i32, which takes indices

// Half the distance between 1 and the next larger value: 2^-24, 2^-11, 2^-8 for f32, f16, bf16.
double UnitRoundoff(DType dtype);

}  // namespace gemmd
