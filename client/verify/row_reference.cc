#include "client/verify/row_reference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace gemmd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kSmallestNormal = 0x1p-126;  // of f32; terms under it may be flushed
const double kF32Overflow = OverflowThreshold(FormatOf(DType::kF32));

// How far the f32 sum of a row may be off, as a factor of the sum of magnitudes: DESIGN's 4 u sqrt(additions), of those
// that follow one another. A row is summed by threads of at most 64 elements or a 32nd of it each.
double SumRoundoff(std::size_t columns) { return 4 * kF32Roundoff * std::sqrt(64 + static_cast<double>(columns) / 32); }

bool IsCertain(const Bounded& x) { return !x.undetermined && std::isfinite(x.error); }

bool HasNan(std::span<const Bounded> row) {
  return std::ranges::any_of(row, [](const Bounded& x) { return !x.undetermined && std::isnan(x.value); });
}

// A result of [low, high] around its value, with an error of the evaluation's own.
Bounded Within(double low, double value, double high, double own_error) {
  if (!std::isfinite(value)) return SettleF32(value, 0);
  if (std::isnan(low) || std::isnan(high)) return kUndetermined;
  return SettleF32(value, std::max({value - low, high - value, 0.0}) + own_error);
}

// A sum of nonnegative terms, as it is and as the smallest and largest that a correct computation may have.
struct Sum {
  double low = 0, value = 0, high = 0;

  void Add(double least, double term, double most) {
    low += least;
    value += term;
    high += most;
  }
  // The same of an f32 sum of `columns` terms with a rounding or two each; infinity where it may overflow.
  Sum Rounded(std::size_t columns) const {
    const double relative = SumRoundoff(columns) + 4 * kF32Roundoff;
    const double flushed = value == 0 && high == 0 ? 0 : static_cast<double>(columns) * kSmallestNormal;
    const double most = high * (1 + relative) + flushed;
    return {std::max(0.0, low * (1 - relative) - flushed), value, most < kF32Overflow ? most : kInfinity};
  }
  Sum Over(double divisor) const { return {low / divisor, value / divisor, high / divisor}; }
  Sum Plus(double addend) const { return {low + addend, value + addend, high + addend}; }
};

double Square(double x) { return x * x; }

// x^2 for every x of [magnitude - error, magnitude + error], added.
void AddSquare(Sum& sum, double deviation, double error) {
  const double magnitude = std::abs(deviation);
  sum.Add(Square(std::max(0.0, magnitude - error)), Square(magnitude), Square(magnitude + error));
}

Sum SquaresOf(std::span<const Bounded> row) {
  Sum sum;
  for (const Bounded& x : row) AddSquare(sum, x.value, x.error);
  return sum.Rounded(row.size());
}

// x / divisor for each, `deviations` being the x and their errors. A divisor that may be 0 leaves anything; one that is
// 0 leaves NaN of 0.
std::vector<Bounded> Divided(std::span<const Bounded> deviations, const Sum& divisor) {
  std::vector<Bounded> results;
  results.reserve(deviations.size());
  for (const Bounded& x : deviations) {
    const double value = x.value / divisor.value;
    if (!std::isfinite(x.value) || !std::isfinite(divisor.value) || divisor.high == 0) {
      results.push_back({value, 0});
      continue;
    }
    if (!(divisor.low > 0)) {
      results.push_back(kUndetermined);
      continue;
    }
    const double least = x.value - x.error, most = x.value + x.error;
    const double low = std::min(least / divisor.low, least / divisor.high);
    const double high = std::max(most / divisor.low, most / divisor.high);
    const double largest = std::max(std::abs(low), std::abs(high));
    results.push_back(Within(low, value, high, 8 * kF32Roundoff * largest + kSmallestNormal));
  }
  return results;
}

Sum RootOf(const Sum& sum) { return {std::sqrt(sum.low), std::sqrt(sum.value), std::sqrt(sum.high)}; }

// x / sqrt(mean(x^2) + eps): the interval of the mean by those of the elements, though x itself is one of them.
std::vector<Bounded> RmsNorm(double eps, std::span<const Bounded> row) {
  return Divided(row, RootOf(SquaresOf(row).Over(static_cast<double>(row.size())).Plus(eps)));
}

std::vector<Bounded> L2Normalize(double eps, std::span<const Bounded> row) {
  const Sum length = RootOf(SquaresOf(row));
  const auto at_least = [eps](double x) { return x < eps ? eps : x; };
  return Divided(row, {at_least(length.low), at_least(length.value), at_least(length.high)});
}

// The mean of a row, and what each element deviates from it.
struct Moments {
  Bounded mean;
  std::vector<Bounded> deviations;
  Sum m2;  // of their squares
};

// The mean is off by the mean of the elements' errors, and by what summing them rounds; a deviation by that and its own
// element's. One element alone is its own mean.
Moments MomentsOf(std::span<const Bounded> row) {
  const auto columns = static_cast<double>(row.size());
  double sum = 0, magnitude = 0, error = 0;
  for (const Bounded& x : row) {
    sum += x.value;
    magnitude += std::abs(x.value) + x.error;
    error += x.error;
  }
  Moments moments;
  const double mean = sum / columns;
  const double own_error = SumRoundoff(row.size()) * magnitude / columns + 2 * kF32Roundoff * std::abs(mean);
  moments.mean = SettleF32(mean, error / columns + own_error);
  for (const Bounded& x : row) {
    const double deviation = x.value - mean;
    const double off = row.size() == 1 ? 0 : x.error + moments.mean.error + kF32Roundoff * std::abs(deviation);
    moments.deviations.push_back({deviation, off});
    AddSquare(moments.m2, deviation, off);
  }
  moments.m2 = moments.m2.Rounded(row.size());
  return moments;
}

// Whether the f32 sum of a row's finite elements may overflow on the way.
bool MayOverflow(std::span<const Bounded> row) {
  double magnitude = 0;
  for (const Bounded& x : row) magnitude += std::isfinite(x.value) ? std::abs(x.value) + x.error : 0;
  return magnitude >= kF32Overflow;
}

std::vector<Bounded> LayerNorm(double eps, std::span<const Bounded> row) {
  const Moments moments = MomentsOf(row);
  return Divided(moments.deviations, RootOf(moments.m2.Over(static_cast<double>(row.size())).Plus(eps)));
}

// exp(x - max) over a row. An f32 evaluation rounds x - max and the exponent, which is a relative error of the
// exponential by u |x - max| each; and a running maximum is made up for a few times.
struct Exponentials {
  double max = -kInfinity;
  std::vector<double> low, value, high;  // of x - error, x, x + error
  Sum sum;
  double own_error = 0;  // of the f32 sum, relative, beside what the elements may be off

  explicit Exponentials(std::span<const Bounded> row) {
    for (const Bounded& x : row) max = std::max(max, x.value);
    double weighted = 0;
    for (const Bounded& x : row) {
      low.push_back(std::exp(x.value - max - x.error));
      value.push_back(std::exp(x.value - max));
      high.push_back(std::exp(x.value - max + x.error));
      sum.Add(low.back(), value.back(), high.back());
      if (value.back() > 0) weighted += value.back() * (max - x.value);
    }
    own_error = kF32Roundoff * (4 * weighted / sum.value + 16) + SumRoundoff(row.size()) +
                static_cast<double>(row.size()) * kSmallestNormal;
  }
  // Of a row with +inf, or of -inf alone.
  bool AreNan() const { return !std::isfinite(max); }
  // Errors are so large that nothing is known.
  bool AreVast() const { return !std::isfinite(sum.high); }
};

// It rises with its own element and falls with the others, so its extremes are at the ends of their intervals.
std::vector<Bounded> Softmax(std::span<const Bounded> row, const Exponentials& of) {
  std::vector<Bounded> results;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double value = of.value[i] / of.sum.value;
    const double others_low = std::max(0.0, of.sum.low - of.low[i]);
    const double others_high = std::max(0.0, of.sum.high - of.high[i]);
    const double high = of.high[i] == 0 ? 0 : of.high[i] / (of.high[i] + others_low);
    const double low = of.low[i] == 0 ? 0 : of.low[i] / (of.low[i] + others_high);
    const double exponent = value > 0 ? 4 * (of.max - row[i].value) + 16 : 0;
    const double own = high * (kF32Roundoff * exponent + of.own_error) + 2 * kSmallestNormal;
    results.push_back(Within(low, value, high, own));
  }
  return results;
}

// What the logarithm of the f32 sum, and the sums with it, are off.
double LogError(const Exponentials& of) {
  return of.own_error + 4 * kF32Roundoff * (std::abs(std::log(of.sum.value)) + std::abs(of.max) + 1);
}

std::vector<Bounded> LogSoftmax(std::span<const Bounded> row, const Exponentials& of) {
  std::vector<Bounded> results;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Bounded& x = row[i];
    const double t = x.value - of.max, others_low = std::max(0.0, of.sum.low - of.low[i]),
                 others_high = std::max(0.0, of.sum.high - of.high[i]);
    const double high = t + x.error - std::log(of.high[i] + others_low);
    const double low = t - x.error - std::log(of.low[i] + others_high);
    const double own = LogError(of) + 4 * kF32Roundoff * (std::abs(t) + std::abs(x.value));
    results.push_back(Within(low, t - std::log(of.sum.value), high, own));
  }
  return results;
}

Bounded Logsumexp(std::span<const Bounded> row) {
  const Exponentials of(row);
  if (of.AreNan()) return {of.max, 0};
  if (of.AreVast()) return kUndetermined;
  const double low = of.max + std::log(of.sum.low), high = of.max + std::log(of.sum.high);
  return Within(low, of.max + std::log(of.sum.value), high, LogError(of));
}

Bounded Total(std::span<const Bounded> row) {
  double sum = 0, magnitude = 0, error = 0;
  for (const Bounded& x : row) {
    sum += x.value;
    magnitude += std::abs(x.value) + x.error;
    error += x.error;
  }
  return SettleF32(sum, error + SumRoundoff(row.size()) * magnitude);
}

// Divided by 0 where there are no more elements than the correction.
Bounded Variance(double correction, std::span<const Bounded> row) {
  const Sum m2 = MomentsOf(row).m2;
  const double divisor = std::max(static_cast<double>(row.size()) - correction, 0.0);
  const double value = m2.value / divisor;
  if (divisor == 0 && m2.high > 0 && m2.low == 0) return kUndetermined;
  return Within(m2.low / divisor, value, m2.high / divisor, 4 * kF32Roundoff * std::abs(value));
}

Bounded Largest(OpKind fold, std::span<const Bounded> row) {
  Bounded largest = row.front();
  for (const Bounded& x : row.subspan(1)) largest = ApplyBinary(fold, largest, x);
  return largest;
}

// Where x may lie among numbers and, above them, NaN.
using Place = std::pair<bool, double>;

Place LowestPlace(const Bounded& x) {
  if (x.undetermined) return {false, -kInfinity};
  return std::isnan(x.value) ? Place{true, 0} : Place{false, x.value - x.error};
}

Place HighestPlace(const Bounded& x) {
  if (x.undetermined || std::isnan(x.value)) return {true, 0};
  return {false, x.value + x.error};
}

}  // namespace

std::vector<std::int64_t> ArgmaxCandidates(std::span<const Bounded> row) {
  std::vector<Place> after(row.size() + 1, {false, -kInfinity});  // the highest of the lowest places from a column on
  for (std::size_t i = row.size(); i-- > 0;) after[i] = std::max(after[i + 1], LowestPlace(row[i]));
  std::vector<std::int64_t> candidates;
  Place before{false, -kInfinity};
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Place highest = HighestPlace(row[i]);
    if ((i == 0 || highest > before) && highest >= after[i + 1]) candidates.push_back(static_cast<std::int64_t>(i));
    before = std::max(before, LowestPlace(row[i]));
  }
  return candidates;
}

std::vector<Bounded> NormalizedRow(OpKind kind, std::span<const float> params, std::span<const Bounded> row) {
  const auto all = [&](const Bounded& value) { return std::vector<Bounded>(row.size(), value); };
  if (HasNan(row)) return all({kNan, 0});
  if (!std::ranges::all_of(row, IsCertain)) return all(kUndetermined);
  if (kind == OpKind::kRmsNorm) return RmsNorm(params[0], row);
  if (kind == OpKind::kL2Normalize) return L2Normalize(params[0], row);
  if (kind == OpKind::kLayerNorm) return MayOverflow(row) ? all(kUndetermined) : LayerNorm(params[0], row);
  const Exponentials exponentials(row);
  if (exponentials.AreNan()) return all({kNan, 0});
  if (exponentials.AreVast()) return all(kUndetermined);
  return kind == OpKind::kSoftmax ? Softmax(row, exponentials) : LogSoftmax(row, exponentials);
}

Bounded ReducedRow(OpKind kind, std::span<const float> params, std::span<const Bounded> row) {
  if (kind == OpKind::kRowArgmax) {
    const std::vector<std::int64_t> candidates = ArgmaxCandidates(row);
    const auto first = static_cast<double>(candidates.front()), last = static_cast<double>(candidates.back());
    return {(first + last) / 2, (last - first) / 2};
  }
  if (HasNan(row)) return {kNan, 0};
  if (kind == OpKind::kRowMax) return Largest(OpKind::kMax, row);
  if (kind == OpKind::kRowMin) return Largest(OpKind::kMin, row);
  if (!std::ranges::all_of(row, IsCertain)) return kUndetermined;
  if (kind == OpKind::kLogsumexp) return Logsumexp(row);
  if (MayOverflow(row)) return kUndetermined;
  if (kind == OpKind::kRowSum) return Total(row);
  if (kind == OpKind::kRowMean) return MomentsOf(row).mean;
  return Variance(params[0], row);
}

}  // namespace gemmd
