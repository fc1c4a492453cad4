#include "runtime/pointwise.h"

#include <Eigen/Core>
#include <cmath>
#include <cstddef>

namespace gemmd {
namespace {

template <typename Function>
void Map(std::span<const float> in, std::span<float> out, Function function) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = function(in[i]);
}

template <typename Argument, typename Function>
void Zip(std::span<const float> in, Argument argument, std::span<float> out, Function function) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = function(in[i], argument(i));
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

template <typename Argument>
void Binary(OpKind kind, std::span<const float> in, Argument argument, std::span<float> out) {
  switch (kind) {
    case OpKind::kAdd:
      return Zip(in, argument, out, [](float x, float y) { return x + y; });
    case OpKind::kSub:
      return Zip(in, argument, out, [](float x, float y) { return x - y; });
    case OpKind::kMul:
      return Zip(in, argument, out, [](float x, float y) { return x * y; });
    case OpKind::kRelu:
    case OpKind::kGeluErf:
    case OpKind::kGeluTanh:
    case OpKind::kSilu:
    case OpKind::kSigmoid:
    case OpKind::kTanh:
    case OpKind::kCast:
    case OpKind::kStore:
      return;
  }
}

}  // namespace

void EvaluateUnary(OpKind kind, std::span<const float> in, std::span<float> out) {
  switch (kind) {
    case OpKind::kRelu:
      return Map(in, out, [](float x) { return x < 0.0f ? 0.0f : x; });  // NaN stays NaN
    case OpKind::kGeluErf:
      return Map(in, out, GeluErf);
    case OpKind::kGeluTanh:
      return Map(in, out, GeluTanh);
    case OpKind::kSilu:
      return Map(in, out, [](float x) { return x * Sigmoid(x); });
    case OpKind::kSigmoid:
      return Map(in, out, Sigmoid);
    case OpKind::kTanh:
      return Map(in, out, [](float x) { return std::tanh(x); });
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kCast:
    case OpKind::kStore:
      return;
  }
}

void EvaluateBinary(OpKind kind, std::span<const float> in, std::span<const float> argument, std::span<float> out) {
  Binary(
      kind, in, [argument](std::size_t i) { return argument[i]; }, out);
}

void EvaluateBinary(OpKind kind, std::span<const float> in, float argument, std::span<float> out) {
  Binary(
      kind, in, [argument](std::size_t) { return argument; }, out);
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
