#include "runtime/row_wise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace gemmd {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The sum of term(x) over a row: eight of every eighth element, so that the processor adds them side by side.
template <typename Term>
double SumOf(std::span<const float> row, Term term) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  std::size_t i = 0;
  for (; i + kLanes <= row.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(row[i + lane]);
  }
  for (; i < row.size(); ++i) lanes[i % kLanes] += term(row[i]);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

double Plain(float x) { return x; }
double Squared(float x) { return static_cast<double>(x) * x; }

struct Moments {
  double mean = 0;
  double m2 = 0;  // the sum of squared deviations
};

Moments MomentsOf(std::span<const float> row) {
  Moments moments;
  moments.mean = SumOf(row, Plain) / static_cast<double>(row.size());
  moments.m2 = SumOf(row, [mean = moments.mean](float x) { return (x - mean) * (x - mean); });
  return moments;
}

// The first of a row's largest, or its first NaN. Requires an element.
std::size_t ArgmaxOf(std::span<const float> row) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < row.size() && !std::isnan(row[best]); ++i) {
    if (row[i] > row[best] || std::isnan(row[i])) best = i;
  }
  return best;
}

float LargestOf(std::span<const float> row) { return row.empty() ? -kInfinity : row[ArgmaxOf(row)]; }

float SmallestOf(std::span<const float> row) {
  float smallest = kInfinity;
  for (const float x : row) {
    if (std::isnan(x)) return x;
    smallest = std::min(smallest, x);
  }
  return smallest;
}

// (max, sum): the sum of exp(x - max).
struct Exponentials {
  float max = -kInfinity;
  double sum = 0;
};

Exponentials ExponentialsOf(std::span<const float> row) {
  Exponentials exponentials{LargestOf(row), 0};
  exponentials.sum = SumOf(row, [max = exponentials.max](float x) { return static_cast<double>(std::exp(x - max)); });
  return exponentials;
}

float LogsumexpOf(std::span<const float> row) {
  const Exponentials exponentials = ExponentialsOf(row);
  if (std::isinf(exponentials.max)) return exponentials.max;  // x - max was NaN
  return static_cast<float>(exponentials.max + std::log(exponentials.sum));
}

template <typename Function>
void Map(std::span<const float> in, std::span<float> out, Function function) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(function(in[i]));
}

}  // namespace

void NormalizeRow(OpKind kind, std::span<const float> params, std::span<const float> in, std::span<float> out) {
  const auto columns = static_cast<double>(in.size());
  if (kind == OpKind::kRmsNorm) {
    const double scale = 1 / std::sqrt(SumOf(in, Squared) / columns + static_cast<double>(params[0]));
    return Map(in, out, [scale](float x) { return x * scale; });
  }
  if (kind == OpKind::kLayerNorm) {
    const Moments moments = MomentsOf(in);
    const double scale = 1 / std::sqrt(moments.m2 / columns + static_cast<double>(params[0]));
    return Map(in, out, [scale, mean = moments.mean](float x) { return (x - mean) * scale; });
  }
  if (kind == OpKind::kL2Normalize) {
    const double length = std::sqrt(SumOf(in, Squared));
    const double divisor = length < params[0] ? params[0] : length;  // NaN stays NaN
    return Map(in, out, [divisor](float x) { return x / divisor; });
  }
  const Exponentials exponentials = ExponentialsOf(in);
  const float max = exponentials.max;
  if (kind == OpKind::kSoftmax) {
    return Map(in, out, [max, sum = exponentials.sum](float x) { return std::exp(x - max) / sum; });
  }
  const double log_sum = std::log(exponentials.sum);
  Map(in, out, [max, log_sum](float x) { return static_cast<double>(x - max) - log_sum; });
}

float ReduceRow(OpKind kind, std::span<const float> params, std::span<const float> in) {
  const auto columns = static_cast<double>(in.size());
  if (kind == OpKind::kLogsumexp) return LogsumexpOf(in);
  if (kind == OpKind::kRowSum) return static_cast<float>(SumOf(in, Plain));
  if (kind == OpKind::kRowMean) return static_cast<float>(SumOf(in, Plain) / columns);
  if (kind == OpKind::kRowVar) {
    const double divisor = std::max(columns - static_cast<double>(params[0]), 0.0);
    return static_cast<float>(MomentsOf(in).m2 / divisor);
  }
  if (kind == OpKind::kRowMax) return LargestOf(in);
  if (kind == OpKind::kRowMin) return SmallestOf(in);
  return static_cast<float>(ArgmaxOf(in));
}

}  // namespace gemmd
