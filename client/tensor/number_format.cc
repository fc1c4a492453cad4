#include "client/tensor/number_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace gemmd {
namespace {

// A NumberFormat of 16 bits or 32 widened to f64 bits: normal numbers move their exponent and mantissa, subnormals
// become (integer mantissa) * 2^(min_exponent - mantissa_bits), and the all-ones exponent stays all ones.
template <int kTotalBits, int kMantissaBits, int kMinExponent>
double Widen(std::uint32_t bits) {
  constexpr int kExponentBits = kTotalBits - 1 - kMantissaBits;
  constexpr std::uint32_t kExponentMask = (1u << kExponentBits) - 1;
  const std::uint64_t sign = static_cast<std::uint64_t>(bits >> (kTotalBits - 1)) << 63;
  const std::uint32_t exponent = (bits >> kMantissaBits) & kExponentMask;
  const std::uint64_t mantissa = bits & ((1u << kMantissaBits) - 1);
  if (exponent == 0) {
    const double magnitude =
        static_cast<double>(static_cast<std::int64_t>(mantissa)) *
        std::bit_cast<double>(static_cast<std::uint64_t>(1023 + kMinExponent - kMantissaBits) << 52);
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) | sign);
  }
  const std::uint64_t wide_exponent =
      exponent == kExponentMask ? 0x7ff : static_cast<std::uint64_t>(exponent) + (1023 + kMinExponent - 1);
  return std::bit_cast<double>(sign | wide_exponent << 52 | mantissa << (52 - kMantissaBits));
}

template <typename Bits>
Bits Load(const std::byte* bytes) {
  Bits bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return bits;
}

template <typename Bits, int kMantissaBits, int kMinExponent>
void WidenAll(const std::byte* bytes, std::span<double> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = Widen<8 * sizeof(Bits), kMantissaBits, kMinExponent>(Load<Bits>(bytes + i * sizeof(Bits)));
  }
}

}  // namespace

NumberFormat FormatOf(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return {16, 10, 15, -14};
    case DType::kBf16:
      return {16, 7, 127, -126};
    case DType::kF32:
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
    case DType::kI32:
      break;
  }
  return {32, 23, 127, -126};
}

double DecodeNumber(std::uint32_t bits, const NumberFormat& format) {
  const int exponent_bits = format.total_bits - 1 - format.mantissa_bits;
  const std::uint32_t exponent_mask = (1u << exponent_bits) - 1;
  const std::uint32_t exponent = (bits >> format.mantissa_bits) & exponent_mask;
  const std::uint32_t mantissa = bits & ((1u << format.mantissa_bits) - 1);
  const double sign = (bits >> (format.total_bits - 1)) != 0 ? -1.0 : 1.0;
  if (exponent == exponent_mask) {
    return mantissa == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  const std::uint32_t significand = exponent == 0 ? mantissa : mantissa | 1u << format.mantissa_bits;
  const int scale = std::max<int>(static_cast<int>(exponent), 1) - 1 + format.min_exponent - format.mantissa_bits;
  return sign * std::ldexp(static_cast<double>(significand), scale);
}

std::uint32_t EncodeNumber(double value, const NumberFormat& format) {
  const auto wide = std::bit_cast<std::uint64_t>(value);
  const std::uint32_t sign = static_cast<std::uint32_t>(wide >> 63) << (format.total_bits - 1);
  const int wide_exponent = static_cast<int>(wide >> 52 & 0x7ff);
  const std::uint64_t wide_mantissa = wide & ((std::uint64_t{1} << 52) - 1);
  const std::uint32_t infinity = ((1u << (format.total_bits - 1 - format.mantissa_bits)) - 1) << format.mantissa_bits;
  if (wide_exponent == 0x7ff) {
    return sign | infinity | (wide_mantissa == 0 ? 0 : 1u << (format.mantissa_bits - 1));
  }
  if (wide_exponent == 0) return sign;  // below 2^-1022: far under half of any subnormal here
  const int exponent = wide_exponent - 1023;
  // The bits to drop: more of them the further below the smallest normal number.
  const int dropped = 52 - format.mantissa_bits + std::max(0, format.min_exponent - exponent);
  if (dropped > 53) return sign;  // under half of the smallest subnormal
  const std::uint64_t significand = wide_mantissa | std::uint64_t{1} << 52;
  const std::uint64_t half = std::uint64_t{1} << (dropped - 1);
  std::uint64_t kept = significand >> dropped;
  const std::uint64_t rest = significand & ((half << 1) - 1);
  if (rest > half || (rest == half && (kept & 1) != 0)) ++kept;
  // `kept` has its implicit bit if normal; a carry out of the mantissa moves on into the exponent by itself.
  const int biased = std::max(exponent - format.min_exponent, 0);
  const std::uint64_t magnitude = (static_cast<std::uint64_t>(biased) << format.mantissa_bits) + kept;
  return sign | static_cast<std::uint32_t>(std::min<std::uint64_t>(magnitude, infinity));
}

double RoundTo(double value, const NumberFormat& format) { return DecodeNumber(EncodeNumber(value, format), format); }

double HalfSpacing(double magnitude, const NumberFormat& format) {
  magnitude = std::abs(magnitude);
  if (!std::isfinite(magnitude)) return std::numeric_limits<double>::infinity();
  const auto wide = std::bit_cast<std::uint64_t>(magnitude);
  const int exponent = std::clamp(static_cast<int>(wide >> 52) - 1023, format.min_exponent, format.max_exponent);
  return std::bit_cast<double>(static_cast<std::uint64_t>(1023 + exponent - format.mantissa_bits - 1) << 52);
}

double OverflowThreshold(const NumberFormat& format) {
  // Half a spacing above the largest finite number: 2^max_exponent * (2 - 2^-mantissa_bits / 2).
  return std::ldexp(2.0 - std::ldexp(0.5, -format.mantissa_bits), format.max_exponent);
}

void DecodeElements(std::span<const std::byte> bytes, DType dtype, std::span<double> values) {
  switch (dtype) {
    case DType::kF16:
      WidenAll<std::uint16_t, 10, -14>(bytes.data(), values);
      return;
    case DType::kBf16:
      WidenAll<std::uint16_t, 7, -126>(bytes.data(), values);
      return;
    case DType::kI32:
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = Load<std::int32_t>(bytes.data() + 4 * i);
      return;
    case DType::kF32:
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
      break;
  }
  WidenAll<std::uint32_t, 23, -126>(bytes.data(), values);
}

double DecodeElement(std::span<const std::byte> bytes, DType dtype, std::int64_t index) {
  double value = 0;
  DecodeElements(bytes.subspan(static_cast<std::size_t>(index * SizeBytes(dtype))), dtype, std::span(&value, 1));
  return value;
}

}  // namespace gemmd
