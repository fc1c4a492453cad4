#include "client/verify/bounded.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace gemmd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kF32SmallestNormal = 0x1p-126;
const double kF32Overflow = OverflowThreshold(FormatOf(DType::kF32));

double Evaluate(OpKind kind, double x) {
  switch (kind) {
    case OpKind::kRelu:
      return x < 0 ? 0 : x;
    case OpKind::kGeluErf:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case OpKind::kGeluTanh: {
      const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return 0.5 * x * (1 + std::tanh(inner));
    }
    case OpKind::kSilu:
      return x / (1 + std::exp(-x));
    case OpKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case OpKind::kTanh:
      return std::tanh(x);
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kCast:
    case OpKind::kStore:
      break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

// Where the function has its one minimum, or NaN where it rises everywhere.
double MinimumOf(OpKind kind) {
  switch (kind) {
    case OpKind::kGeluErf:
      return -0.75179158;
    case OpKind::kGeluTanh:
      return -0.75246142;
    case OpKind::kSilu:
      return -1.27846454;
    case OpKind::kRelu:
    case OpKind::kSigmoid:
    case OpKind::kTanh:
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kCast:
    case OpKind::kStore:
      break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

// What an f32 evaluation may be off at an exact x of [low, high], y being its largest exact magnitude: library
// functions of a few ulp (4 u y), and the intermediate that loses most: in gelu the sum 1 + erf or 1 + tanh, near 0 for
// negative x (4 u |x|); in silu and sigmoid the exponent -x, rounded before exp (u |x| of exp(-x), which is the part 1
// / (1 + exp(x)) of the denominator); in tanh a form through exp (4 u). Factors under the smallest normal number may be
// flushed.
double OwnError(OpKind kind, double low, double high, double y) {
  const double relative = 4 * kF32Roundoff * y;
  const double x = std::max(std::abs(low), std::abs(high));
  const double exponential = 2 * kF32Roundoff * x * y / (1 + std::exp(low));
  switch (kind) {
    case OpKind::kGeluErf:
    case OpKind::kGeluTanh:
      return relative + (4 * kF32Roundoff + kF32SmallestNormal) * x;
    case OpKind::kSilu:
      return relative + exponential + kF32SmallestNormal * x;
    case OpKind::kSigmoid:
      return relative + exponential + kF32SmallestNormal;
    case OpKind::kTanh:
      return relative + 4 * kF32Roundoff;
    case OpKind::kRelu:
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kCast:
    case OpKind::kStore:
      break;
  }
  return 0;
}

}  // namespace

Bounded SettleF32(double value, double error) {
  if (!std::isfinite(value)) return {value, 0};
  if (std::isnan(error)) error = kInfinity;
  if (std::abs(value) - error >= kF32Overflow) return {std::copysign(kInfinity, value), 0};
  if (std::abs(value) + error >= kF32Overflow) error = kInfinity;
  return {value, error};
}

Bounded ApplyBinary(OpKind kind, const Bounded& x, const Bounded& y) {
  double value = 0, error = 0;
  if (kind == OpKind::kMul) {
    value = x.value * y.value;
    error = x.error * std::abs(y.value) + std::abs(x.value) * y.error + x.error * y.error;
  } else {
    value = kind == OpKind::kAdd ? x.value + y.value : x.value - y.value;
    error = x.error + y.error;
  }
  const double rounding = kF32Roundoff * (std::abs(value) + error) + 0x1p-150;
  return SettleF32(value, error + rounding);
}

Bounded ApplyUnary(OpKind kind, const Bounded& x) {
  const double value = Evaluate(kind, x.value);
  if (x.error == kInfinity) return {value, std::isfinite(value) ? kInfinity : 0};
  const double low = x.value - x.error, high = x.value + x.error;
  double error = std::max(std::abs(Evaluate(kind, low) - value), std::abs(Evaluate(kind, high) - value));
  const double minimum = MinimumOf(kind);
  if (low < minimum && minimum < high) error = std::max(error, value - Evaluate(kind, minimum));
  return SettleF32(value, error + OwnError(kind, low, high, std::abs(value) + error));
}

Bounded ApplyCast(const Bounded& x, const NumberFormat& format) {
  const double value = RoundTo(x.value, format);
  if (x.error == 0 || !std::isfinite(value)) {
    // An infinity that a smaller value of the interval would not have reached is possible, not certain.
    const bool certain = !(std::abs(x.value) - x.error < OverflowThreshold(format)) || !std::isfinite(x.value);
    return certain || x.error == 0 ? Bounded{value, 0} : Bounded{x.value, kInfinity};
  }
  const double below = RoundTo(x.value - x.error, format), above = RoundTo(x.value + x.error, format);
  return SettleF32(value, std::max(value - below, above - value));
}

Comparison Compare(double stored, const Bounded& reference, const NumberFormat& format) {
  const double value = reference.value, error = reference.error;
  const auto verdict = [](bool matches, double tolerance) {
    return Comparison{matches, tolerance, matches ? 0 : kInfinity};
  };
  if (std::isnan(value)) return verdict(std::isnan(stored), 0);
  if (std::isnan(stored)) return verdict(false, error);
  if (error == kInfinity) return verdict(true, kInfinity);
  const double overflow = OverflowThreshold(format);
  const double largest = std::abs(value) + error;
  if (std::abs(value) - error >= overflow || std::isinf(stored)) {
    const bool same = std::isinf(stored) && std::signbit(stored) == std::signbit(value);
    return verdict(same && largest >= overflow, error);
  }
  const double tolerance = error + HalfSpacing(largest, format);
  const double distance = std::abs(stored - value);
  return {distance <= tolerance, tolerance, distance / tolerance};
}

}  // namespace gemmd
