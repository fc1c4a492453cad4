#include "client/verify/bounded.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "client/verify/operation_reference.h"

namespace gemmd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const double kF32Overflow = OverflowThreshold(FormatOf(DType::kF32));

// Either is 0 where its value is: 0 * infinity is 0 here.
double Product(double factor, double error) { return error == 0 ? 0 : factor * error; }

// Over the interval of x, from the ends of the result's.
Bounded Between(double low, double value, double high) {
  return SettleF32(value, low == high ? 0 : std::max(value - low, high - value));
}

// Exactly: no rounding of its own.
Bounded Larger(const Bounded& x, const Bounded& y) {
  if (std::isnan(x.value) || std::isnan(y.value)) return {kNan, 0};
  return Between(std::max(x.value - x.error, y.value - y.error), std::max(x.value, y.value),
                 std::max(x.value + x.error, y.value + y.error));
}

Bounded Negated(const Bounded& x) { return {-x.value, x.error}; }

Bounded Rounded(double value, double error) {
  return SettleF32(value, error + kF32Roundoff * (std::abs(value) + error) + 0x1p-150);
}

Bounded Quotient(const Bounded& x, const Bounded& y) {
  const double smallest = std::abs(y.value) - y.error;
  if (y.error > 0 && !(smallest > 0)) return kUndetermined;
  const bool may_be_zero = std::abs(x.value) <= x.error && x.error > 0;
  if (y.value == 0 && may_be_zero) return kUndetermined;
  const double value = x.value / y.value;
  return Rounded(value, Product(1 / smallest, x.error) + Product(std::abs(value) / smallest, y.error));
}

// x times the derivative of an activation at y.
Bounded Gradient(OpKind kind, const Bounded& x, const Bounded& y) {
  const Derivative derivative = DerivativeOf(kind);
  const double at_y = derivative.value(y.value);
  const double error = derivative.own_error + Product(derivative.steepest, y.error);
  if (std::isinf(x.value) && std::abs(at_y) <= error) return kUndetermined;
  return Rounded(x.value * at_y, Product(std::abs(at_y), x.error) + Product(std::abs(x.value) + x.error, error));
}

Bounded ReluGradient(const Bounded& x, const Bounded& y) {
  if (y.value + y.error <= 0) return {0, 0};
  if (y.error > 0 && y.value - y.error <= 0) return {x.value, std::max(x.error, std::abs(x.value) + x.error)};
  return x;
}

// Either x or y.
Bounded Either(const Bounded& x, const Bounded& y) {
  if (x.undetermined || y.undetermined || std::isnan(x.value) != std::isnan(y.value)) return kUndetermined;
  if (std::isnan(x.value) || (x.value == y.value && x.error == y.error)) return x;
  const double low = std::min(x.value - x.error, y.value - y.error);
  const double high = std::max(x.value + x.error, y.value + y.error);
  if (!std::isfinite(low) || !std::isfinite(high)) return {std::isfinite(x.value) ? x.value : 0, kInfinity};
  const double middle = low + (high - low) / 2;
  return {middle, std::max(high - middle, middle - low)};
}

constexpr Bounded kTrue{1, 0}, kFalse{0, 0};

Bounded Truth(bool certainly, bool possibly) { return certainly ? kTrue : possibly ? Either(kTrue, kFalse) : kFalse; }

// Whether x < y, or x <= y where `or_equal`.
Bounded Ordered(const Bounded& x, const Bounded& y, bool or_equal) {
  if (x.undetermined || y.undetermined) return Truth(false, true);
  if (std::isnan(x.value) || std::isnan(y.value)) return kFalse;
  const auto holds = [&](double left, double right) { return or_equal ? left <= right : left < right; };
  return Truth(holds(x.value + x.error, y.value - y.error), holds(x.value - x.error, y.value + y.error));
}

Bounded EqualTo(const Bounded& x, const Bounded& y) {
  if (x.undetermined || y.undetermined) return Truth(false, true);
  if (std::isnan(x.value) || std::isnan(y.value)) return kFalse;
  const bool certain = x.error == 0 && y.error == 0 && x.value == y.value;
  return Truth(certain, x.value - x.error <= y.value + y.error && y.value - y.error <= x.value + x.error);
}

Bounded Not(const Bounded& truth) { return {1 - truth.value, truth.error}; }

// Nothing for an operation that is no comparison. What is undetermined compares either way.
std::optional<Bounded> Compared(OpKind kind, const Bounded& x, const Bounded& y) {
  if (kind == OpKind::kEq) return EqualTo(x, y);
  if (kind == OpKind::kNe) return Not(EqualTo(x, y));
  if (kind == OpKind::kLt) return Ordered(x, y, false);
  if (kind == OpKind::kLe) return Ordered(x, y, true);
  if (kind == OpKind::kGt) return Ordered(y, x, false);
  if (kind == OpKind::kGe) return Ordered(y, x, true);
  return std::nullopt;
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
  if (const auto truth = Compared(kind, x, y)) return *truth;
  if (x.undetermined || y.undetermined) return kUndetermined;
  switch (kind) {
    case OpKind::kAdd:
      return Rounded(x.value + y.value, x.error + y.error);
    case OpKind::kSub:
      return Rounded(x.value - y.value, x.error + y.error);
    case OpKind::kMul:
      return Rounded(x.value * y.value, x.error * std::abs(y.value) + std::abs(x.value) * y.error + x.error * y.error);
    case OpKind::kDiv:
      return Quotient(x, y);
    case OpKind::kMax:
      return Larger(x, y);
    case OpKind::kMin:
      return Negated(Larger(Negated(x), Negated(y)));
    case OpKind::kDRelu:
      return ReluGradient(x, y);
    case OpKind::kDGeluErf:
    case OpKind::kDGeluTanh:
    case OpKind::kDSilu:
      return Gradient(kind, x, y);
    case OpKind::kEq:
    case OpKind::kNe:
    case OpKind::kLt:
    case OpKind::kLe:
    case OpKind::kGt:
    case OpKind::kGe:
    case OpKind::kRelu:
    case OpKind::kRelu2:
    case OpKind::kLeakyRelu:
    case OpKind::kElu:
    case OpKind::kClamp:
    case OpKind::kGeluErf:
    case OpKind::kGeluTanh:
    case OpKind::kQuickGelu:
    case OpKind::kSilu:
    case OpKind::kHardswish:
    case OpKind::kSigmoid:
    case OpKind::kTanh:
    case OpKind::kSoftcap:
    case OpKind::kSoftplus:
    case OpKind::kErf:
    case OpKind::kExp:
    case OpKind::kLog:
    case OpKind::kSqrt:
    case OpKind::kRsqrt:
    case OpKind::kAbs:
    case OpKind::kNeg:
    case OpKind::kSquare:
    case OpKind::kWhere:
    case OpKind::kSwiglu:
    case OpKind::kGegluErf:
    case OpKind::kGegluTanh:
    case OpKind::kReglu:
    case OpKind::kRmsNorm:
    case OpKind::kLayerNorm:
    case OpKind::kSoftmax:
    case OpKind::kLogSoftmax:
    case OpKind::kL2Normalize:
    case OpKind::kLogsumexp:
    case OpKind::kRowSum:
    case OpKind::kRowMean:
    case OpKind::kRowVar:
    case OpKind::kRowMax:
    case OpKind::kRowMin:
    case OpKind::kRowArgmax:
    case OpKind::kCast:
    case OpKind::kStore:
      break;
  }
  return kUndetermined;
}

Bounded ApplyWhere(const Bounded& condition, const Bounded& x, const Bounded& y) {
  const double is_zero = EqualTo(condition, {0, 0}).value;  // 1, 0, or between them
  return is_zero == 0 ? x : is_zero == 1 ? y : Either(x, y);
}

Bounded ApplyUnary(OpKind kind, std::span<const float> params, const Bounded& x) {
  if (x.undetermined) return kUndetermined;
  const UnaryFunction function = FunctionOf(kind);
  const auto at = [&](double argument) { return function.value(argument, params.data()); };
  const double value = at(x.value);
  if (x.error == 0 && !std::isfinite(value)) return {value, 0};
  const double low = x.value - x.error, high = x.value + x.error;
  const double at_low = at(low), at_high = at(high);
  if (std::isnan(value) && std::isnan(at_low) && std::isnan(at_high)) return {value, 0};
  if (std::isnan(value) || std::isnan(at_low) || std::isnan(at_high)) return kUndetermined;
  double error = std::max(std::abs(at_low - value), std::abs(at_high - value));
  const double turn = function.turn;
  if (low < turn && turn < high) error = std::max(error, std::abs(at(turn) - value));
  return SettleF32(value, error + function.own_error(low, high, std::abs(value) + error, params.data()));
}

Bounded ApplyCast(const Bounded& x, const NumberFormat& format) {
  if (x.undetermined) return kUndetermined;
  const double value = RoundTo(x.value, format);
  if (x.error == 0 || !std::isfinite(value)) {
    // An infinity that a smaller value of the interval would not have reached is possible, not certain.
    const bool certain = !(std::abs(x.value) - x.error < OverflowThreshold(format)) || !std::isfinite(x.value);
    return certain || x.error == 0 ? Bounded{value, 0} : Bounded{x.value, kInfinity};
  }
  const double below = RoundTo(x.value - x.error, format), above = RoundTo(x.value + x.error, format);
  return SettleF32(value, std::max(value - below, above - value));
}

Bounded ApplyGate(OpKind kind, const Bounded& left, const Bounded& right) {
  return ApplyBinary(OpKind::kMul, ApplyUnary(ActivationOf(kind), {}, left), right);
}

Comparison Compare(double stored, const Bounded& reference, const NumberFormat& format) {
  const double value = reference.value, error = reference.error;
  const auto verdict = [](bool matches, double tolerance) {
    return Comparison{matches, tolerance, matches ? 0 : kInfinity};
  };
  if (reference.undetermined) return verdict(true, kInfinity);
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
