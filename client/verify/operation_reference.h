// What the operations are in fp64, and what an f32 evaluation of them may be off.
#pragma once

#include <limits>

#include "spec/operation.h"

namespace gemmd {

inline constexpr double kF32Roundoff = 0x1p-24;

struct UnaryFunction {
  double (*value)(double x, const float* params);
  // What an f32 evaluation may be off at an exact x of [low, high], y being its largest exact magnitude.
  double (*own_error)(double low, double high, double y, const float* params);
  // Where the function turns from rising to falling or back; NaN where it does neither.
  double turn = std::numeric_limits<double>::quiet_NaN();
};
// Requires an operation of class kUnary.
UnaryFunction FunctionOf(OpKind kind);

// The derivative of a smooth activation, for dgelu and dsilu.
struct Derivative {
  double (*value)(double x);
  double own_error;  // absolute, of an f32 evaluation
  double steepest;   // the largest slope that it has itself
};
Derivative DerivativeOf(OpKind kind);

}  // namespace gemmd
