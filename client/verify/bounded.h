// A reference value together with how far a correct f32 computation may be from it.
#pragma once

#include <limits>
#include <span>

#include "client/tensor/number_format.h"
#include "client/verify/operation_reference.h"
#include "spec/operation.h"

namespace gemmd {

// Every correct computation lies in [value - error, value + error]. The error is 0 for NaN and infinities, which are
// met or not, and infinity where overflow of f32 is possible but not certain. Where a comparison may go either way, the
// interval covers both.
struct Bounded {
  double value = 0;
  double error = 0;
  bool undetermined = false;  // may be anything, NaN too: the argument of a log may be negative, a divisor 0
};

inline constexpr Bounded kUndetermined{0, std::numeric_limits<double>::infinity(), true};

// A value with its error as f32 holds it: brings both to the invariants above.
Bounded SettleF32(double value, double error);

// One f32 operation on two such values, of class kBinary.
Bounded ApplyBinary(OpKind kind, const Bounded& x, const Bounded& y);
// One f32 evaluation of an operation of class kGate on what is left and right.
Bounded ApplyGate(OpKind kind, const Bounded& left, const Bounded& right);
// x where the condition is not 0, else y; both where it may be either.
Bounded ApplyWhere(const Bounded& condition, const Bounded& x, const Bounded& y);
// One f32 evaluation of an operation of class kUnary with its parameters.
Bounded ApplyUnary(OpKind kind, std::span<const float> params, const Bounded& x);
// Rounding to a format in the middle of a chain.
Bounded ApplyCast(const Bounded& x, const NumberFormat& format);

// How a stored number compares with its reference.
struct Comparison {
  bool matches = false;
  double tolerance = 0;  // how far it may be: the error, and half a spacing of the format for the store's own rounding
  double ratio = 0;      // distance / tolerance: at most 1 for a match, infinity for a NaN or a misplaced infinity
};
Comparison Compare(double stored, const Bounded& reference, const NumberFormat& format);

}  // namespace gemmd
