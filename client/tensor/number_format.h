// f32, f16 and bf16 as bits: conversions by integer arithmetic alone, so that they owe nothing to the code they check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "spec/dtype.h"

namespace gemmd {

// The shape of a binary floating-point format: of `total_bits`, one is the sign, then exponent, then mantissa.
struct NumberFormat {
  int total_bits = 32;
  int mantissa_bits = 23;
  int max_exponent = 127;   // of the largest finite number
  int min_exponent = -126;  // of the smallest normal number
};

// That of f32 for i32, whose numbers are indices that it holds. Requires IsStorable(dtype).
NumberFormat FormatOf(DType dtype);

// Exact. `bits` are the low bits of the format.
double DecodeNumber(std::uint32_t bits, const NumberFormat& format);
// To nearest, ties to even; beyond the largest finite number to infinity; subnormals are kept; any NaN to a quiet one.
std::uint32_t EncodeNumber(double value, const NumberFormat& format);

// DecodeNumber(EncodeNumber(value)): the nearest number of the format.
double RoundTo(double value, const NumberFormat& format);

// Half the distance between neighbours of the format at `magnitude`: the most that rounding can change it by.
// Infinity for infinity, of which there is no neighbour.
double HalfSpacing(double magnitude, const NumberFormat& format);

// The largest magnitude that rounds to a finite number; from here on it is infinity.
double OverflowThreshold(const NumberFormat& format);

// Exact, of i32 too; `bytes` holds as many elements as `values`, little-endian, at any alignment.
void DecodeElements(std::span<const std::byte> bytes, DType dtype, std::span<double> values);
// The same for one element.
double DecodeElement(std::span<const std::byte> bytes, DType dtype, std::int64_t index);

}  // namespace gemmd
