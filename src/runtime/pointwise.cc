#include "runtime/pointwise.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>

namespace gemmd {
namespace {

template <typename Function>
void Map(std::span<const float> in, std::span<float> out, Function function) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = function(in[i]);
}

float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// erfc keeps its digits in the negative tail, where 1 + erf cancels.
float GeluErf(float x) {
  constexpr float kMinusSqrtHalf = -0.707106781186547524f;
  return 0.5f * x * std::erfc(x * kMinusSqrtHalf);
}

// x * sigmoid(2 u), which is 0.5 x (1 + tanh(u)) without its cancellation.
float GeluTanh(float x) {
  constexpr float kTwoSqrtTwoOverPi = 1.59576912160573071f;
  constexpr float kCubic = 0.044715f;
  return x * Sigmoid(kTwoSqrtTwoOverPi * (x + kCubic * x * x * x));
}

float Clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }  // NaN stays NaN

float Softplus(float x) { return (x < 0.0f ? 0.0f : x) + std::log1p(std::exp(-std::abs(x))); }

// The logistic function's derivative, without the cancellation of 1 - sigmoid(x).
float SigmoidSlope(float x) {
  const float e = std::exp(-std::abs(x));
  return e / ((1.0f + e) * (1.0f + e));
}

float DGeluErf(float y) {
  constexpr float kMinusSqrtHalf = -0.707106781186547524f;
  constexpr float kInverseSqrtTwoPi = 0.398942280401432678f;
  return 0.5f * std::erfc(y * kMinusSqrtHalf) + y * (kInverseSqrtTwoPi * std::exp(-0.5f * y * y));
}

// The slope vanishes long before |y| = 16, and must not meet an overflowing inner derivative.
float DGeluTanh(float y) {
  constexpr float kTwoSqrtTwoOverPi = 1.59576912160573071f;
  constexpr float kCubic = 0.044715f;
  const float z = std::min(std::abs(y), 16.0f);
  const float outer = kTwoSqrtTwoOverPi * (y + kCubic * y * y * y);
  const float inner = kTwoSqrtTwoOverPi * (1.0f + 3.0f * kCubic * z * z);
  return Sigmoid(outer) + y * SigmoidSlope(outer) * inner;
}

float DSilu(float y) { return Sigmoid(y) + y * SigmoidSlope(y); }

// out[i] = op(in[i], argument(i)); unary operations don't look at the argument, nor binary ones at `params`.
template <typename Argument>
void Evaluate(OpKind kind, std::span<const float> params, std::span<const float> in, Argument argument,
              std::span<float> out) {
  const auto unary = [&](auto function) { Map(in, out, function); };
  const auto binary = [&](auto function) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = function(in[i], argument(i));
  };
  switch (kind) {
    case OpKind::kAdd:
      return binary([](float x, float y) { return x + y; });
    case OpKind::kSub:
      return binary([](float x, float y) { return x - y; });
    case OpKind::kMul:
      return binary([](float x, float y) { return x * y; });
    case OpKind::kDiv:
      return binary([](float x, float y) { return x / y; });
    case OpKind::kMax:
      return binary([](float x, float y) { return std::isnan(x) || x > y ? x : y; });  // NaN of either
    case OpKind::kMin:
      return binary([](float x, float y) { return std::isnan(x) || x < y ? x : y; });
    case OpKind::kDRelu:
      return binary([](float x, float y) { return y <= 0.0f ? 0.0f : x; });
    case OpKind::kDGeluErf:
      return binary([](float x, float y) { return x * DGeluErf(y); });
    case OpKind::kDGeluTanh:
      return binary([](float x, float y) { return x * DGeluTanh(y); });
    case OpKind::kDSilu:
      return binary([](float x, float y) { return x * DSilu(y); });
    case OpKind::kEq:
      return binary([](float x, float y) { return x == y ? 1.0f : 0.0f; });
    case OpKind::kNe:
      return binary([](float x, float y) { return x != y ? 1.0f : 0.0f; });
    case OpKind::kLt:
      return binary([](float x, float y) { return x < y ? 1.0f : 0.0f; });
    case OpKind::kLe:
      return binary([](float x, float y) { return x <= y ? 1.0f : 0.0f; });
    case OpKind::kGt:
      return binary([](float x, float y) { return x > y ? 1.0f : 0.0f; });
    case OpKind::kGe:
      return binary([](float x, float y) { return x >= y ? 1.0f : 0.0f; });
    case OpKind::kRelu:
      return unary([](float x) { return x < 0.0f ? 0.0f : x; });  // NaN stays NaN
    case OpKind::kRelu2:
      return unary([](float x) { return x < 0.0f ? 0.0f : x * x; });
    case OpKind::kLeakyRelu:
      return unary([slope = params[0]](float x) { return x > 0.0f ? x : slope * x; });
    case OpKind::kElu:
      return unary([alpha = params[0]](float x) { return x > 0.0f ? x : alpha * std::expm1(x); });
    case OpKind::kClamp:
      return unary([low = params[0], high = params[1]](float x) { return Clamp(x, low, high); });
    case OpKind::kGeluErf:
      return unary(GeluErf);
    case OpKind::kGeluTanh:
      return unary(GeluTanh);
    case OpKind::kQuickGelu:
      return unary([](float x) { return x * Sigmoid(1.702f * x); });
    case OpKind::kSilu:
      return unary([](float x) { return x * Sigmoid(x); });
    case OpKind::kHardswish:
      return unary([](float x) { return x * Clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f; });
    case OpKind::kSigmoid:
      return unary(Sigmoid);
    case OpKind::kTanh:
      return unary([](float x) { return std::tanh(x); });
    case OpKind::kSoftcap:
      return unary([cap = params[0]](float x) { return cap * std::tanh(x / cap); });
    case OpKind::kSoftplus:
      return unary(Softplus);
    case OpKind::kErf:
      return unary([](float x) { return std::erf(x); });
    case OpKind::kExp:
      return unary([](float x) { return std::exp(x); });
    case OpKind::kLog:
      return unary([](float x) { return std::log(x); });
    case OpKind::kSqrt:
      return unary([](float x) { return std::sqrt(x); });
    case OpKind::kRsqrt:
      return unary([](float x) { return 1.0f / std::sqrt(x); });
    case OpKind::kAbs:
      return unary([](float x) { return std::abs(x); });
    case OpKind::kNeg:
      return unary([](float x) { return -x; });
    case OpKind::kSquare:
      return unary([](float x) { return x * x; });
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
      return;
  }
}

}  // namespace

void EvaluateUnary(OpKind kind, std::span<const float> params, std::span<const float> in, std::span<float> out) {
  Evaluate(
      kind, params, in, [](std::size_t) { return 0.0f; }, out);
}

void EvaluateBinary(OpKind kind, std::span<const float> in, std::span<const float> argument, std::span<float> out) {
  Evaluate(
      kind, {}, in, [argument](std::size_t i) { return argument[i]; }, out);
}

void EvaluateBinary(OpKind kind, std::span<const float> in, float argument, std::span<float> out) {
  Evaluate(
      kind, {}, in, [argument](std::size_t) { return argument; }, out);
}

void EvaluateGate(OpKind kind, std::span<const float> left, std::span<const float> right, std::span<float> out) {
  const auto apply = [&](auto activation) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = activation(left[i]) * right[i];
  };
  if (kind == OpKind::kSwiglu) return apply([](float x) { return x * Sigmoid(x); });
  if (kind == OpKind::kGegluErf) return apply(GeluErf);
  if (kind == OpKind::kGegluTanh) return apply(GeluTanh);
  apply([](float x) { return x < 0.0f ? 0.0f : x; });
}

void EvaluateWhere(std::span<const float> condition, std::span<const float> in, std::span<const float> otherwise,
                   std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = condition[i] != 0.0f ? in[i] : otherwise[i];
}

void RoundTo(DType dtype, std::span<const float> in, std::span<float> out) {
  switch (dtype) {
    case DType::kF16:
      return Map(in, out, [](float x) { return static_cast<float>(static_cast<Eigen::half>(x)); });
    case DType::kBf16:
      return Map(in, out, [](float x) { return static_cast<float>(static_cast<Eigen::bfloat16>(x)); });
    case DType::kF32:
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
    case DType::kI32:
      return Map(in, out, [](float x) { return x; });
  }
}

}  // namespace gemmd
