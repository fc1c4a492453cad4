#include "client/verify/operation_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace gemmd {
namespace {

using P = const float*;  // an operation's parameters

constexpr double kSmallestNormal = 0x1p-126;  // of f32; factors under it may be flushed
constexpr double kQuick = 1.702;

double NormalBelow(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double GeluTanhInner(double x) { return 2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }
double Magnitude(double low, double high) { return std::max(std::abs(low), std::abs(high)); }

double Exact(double, double, double, P) { return 0; }

// Library functions of a few ulp, and a few roundings of factors.
double FewUlp(double, double, double y, P) { return 8 * kF32Roundoff * y + kSmallestNormal; }

// The sum 1 + erf or 1 + tanh loses most, near 0 for negative x.
double CancellingGate(double low, double high, double y, P) {
  return 4 * kF32Roundoff * y + (4 * kF32Roundoff + kSmallestNormal) * Magnitude(low, high);
}

double FlushedGate(double low, double high) { return kSmallestNormal * Magnitude(low, high); }

// The exponent is rounded before exp (u |exponent| of exp(-x), which is the part 1 / (1 + exp(x)) of the denominator).
double Logistic(double low, double exponent, double y) {
  return 4 * kF32Roundoff * y + 2 * kF32Roundoff * exponent * y / (1 + std::exp(low));
}

double Nan(double, P) { return std::numeric_limits<double>::quiet_NaN(); }

double DGeluErf(double x) {
  return NormalBelow(x) + x * (std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2);
}

double DGeluTanh(double x) {
  const double t = std::tanh(0.5 * GeluTanhInner(x));
  const double inner = std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
  return 0.5 * (1 + t) + 0.5 * x * ((1 - t * t) * inner);
}

double DSilu(double x) {
  const double s = 1 / (1 + std::exp(-x));
  return s + x * (s * (1 - s));
}

}  // namespace

UnaryFunction FunctionOf(OpKind kind) {
  switch (kind) {
    case OpKind::kRelu:
      return {[](double x, P) { return x < 0 ? 0 : x; }, Exact};
    case OpKind::kRelu2:
      return {[](double x, P) { return x < 0 ? 0 : x * x; }, FewUlp};
    case OpKind::kLeakyRelu:
      return {[](double x, P p) { return x > 0 ? x : p[0] * x; }, FewUlp, 0};
    case OpKind::kElu:
      return {[](double x, P p) { return x > 0 ? x : p[0] * std::expm1(x); }, FewUlp, 0};
    case OpKind::kClamp:
      return {[](double x, P p) { return x < p[0] ? p[0] : x > p[1] ? p[1] : x; }, Exact};
    case OpKind::kGeluErf:
      return {[](double x, P) { return x * NormalBelow(x); }, CancellingGate, -0.75179158};
    case OpKind::kGeluTanh:
      return {[](double x, P) { return 0.5 * x * (1 + std::tanh(0.5 * GeluTanhInner(x))); }, CancellingGate,
              -0.75246142};
    case OpKind::kQuickGelu:
      return {[](double x, P) { return x / (1 + std::exp(-kQuick * x)); },
              [](double low, double high, double y, P) {
                return FlushedGate(low, high) + Logistic(kQuick * low, 3 * kQuick * Magnitude(low, high), y);
              },
              -1.27846454 / kQuick};
    case OpKind::kSilu:
      return {[](double x, P) { return x / (1 + std::exp(-x)); },
              [](double low, double high, double y, P) {
                return FlushedGate(low, high) + Logistic(low, Magnitude(low, high), y);
              },
              -1.27846454};
    case OpKind::kHardswish:
      return {[](double x, P) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; }, FewUlp, -1.5};
    case OpKind::kSigmoid:
      return {[](double x, P) { return 1 / (1 + std::exp(-x)); },
              [](double low, double high, double y, P) {
                return kSmallestNormal + Logistic(low, Magnitude(low, high), y);
              }};
    case OpKind::kTanh:
      return {[](double x, P) { return std::tanh(x); },
              [](double, double, double y, P) { return 4 * kF32Roundoff * (y + 1); }};
    case OpKind::kSoftcap:
      return {[](double x, P p) { return p[0] * std::tanh(x / p[0]); },
              [](double, double, double y, P p) { return 8 * kF32Roundoff * (y + p[0]) + kSmallestNormal; }};
    case OpKind::kSoftplus:
      return {[](double x, P) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }, FewUlp};
    case OpKind::kErf:
      return {[](double x, P) { return std::erf(x); }, FewUlp};
    case OpKind::kExp:
      // Bounded far past the overflow of f32, so that intervals stay finite.
      return {[](double x, P) { return x > 700 ? std::exp(700.0) : std::exp(x); }, FewUlp};
    case OpKind::kLog:
      return {[](double x, P) { return std::log(x); }, FewUlp};
    case OpKind::kSqrt:
      return {[](double x, P) { return std::sqrt(x); }, FewUlp};
    case OpKind::kRsqrt:
      return {[](double x, P) { return 1 / std::sqrt(x); }, FewUlp};
    case OpKind::kAbs:
      return {[](double x, P) { return std::abs(x); }, Exact, 0};
    case OpKind::kNeg:
      return {[](double x, P) { return -x; }, Exact};
    case OpKind::kSquare:
      return {[](double x, P) { return x * x; }, FewUlp, 0};
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kDiv:
    case OpKind::kMax:
    case OpKind::kMin:
    case OpKind::kDRelu:
    case OpKind::kDGeluErf:
    case OpKind::kDGeluTanh:
    case OpKind::kDSilu:
    case OpKind::kEq:
    case OpKind::kNe:
    case OpKind::kLt:
    case OpKind::kLe:
    case OpKind::kGt:
    case OpKind::kGe:
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
  return {Nan, Exact};
}

// The sums of both derivatives are of order 1, and so are their terms: a few roundings each, and those of the exponent.
Derivative DerivativeOf(OpKind kind) {
  if (kind == OpKind::kDSilu) return {DSilu, 16 * kF32Roundoff, 0.6};
  if (kind == OpKind::kDGeluTanh) return {DGeluTanh, 32 * kF32Roundoff, 1.0};
  return {DGeluErf, 16 * kF32Roundoff, 1.0};
}

}  // namespace gemmd
