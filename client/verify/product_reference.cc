#include "client/verify/product_reference.h"

#include <algorithm>
#include <cmath>

namespace gemmd {
namespace {

constexpr std::int64_t kBlockDepth = 256;  // with 64 columns of fp64 the panel of B is 128 KiB: it stays in L2
constexpr std::int64_t kColumns = ProductReference::kBlockColumns;

// The same loop for the vector units at hand. Sanitizers can't run before the loader has picked one.
#if defined(__x86_64__) && !defined(GEMMD_SANITIZED)
#define GEMMD_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GEMMD_VECTOR_CLONES
#endif

// Adds `steps` (a multiple of 4) of K to one row: sums[j] += sum of a[k] * b[k][j], magnitudes[j] likewise of absolute
// values.
GEMMD_VECTOR_CLONES
void AddSteps(std::int64_t steps, const double* __restrict a, const double* __restrict b, double* __restrict sums,
              double* __restrict magnitudes) {
  for (std::int64_t k = 0; k < steps; k += 4, a += 4, b += 4 * kColumns) {
    const double a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
    const double p0 = std::abs(a0), p1 = std::abs(a1), p2 = std::abs(a2), p3 = std::abs(a3);
    for (std::int64_t j = 0; j < kColumns; ++j) {
      const double b0 = b[j], b1 = b[j + kColumns], b2 = b[j + 2 * kColumns], b3 = b[j + 3 * kColumns];
      sums[j] += (a0 * b0 + a1 * b1) + (a2 * b2 + a3 * b3);
      magnitudes[j] += (p0 * std::abs(b0) + p1 * std::abs(b1)) + (p2 * std::abs(b2) + p3 * std::abs(b3));
    }
  }
}

// How far a sum of K products may be off, as a factor of |A||B|.
double ErrorFactor(std::int64_t k, Precision precision) {
  const double summation = 4 * kF32Roundoff * std::sqrt(static_cast<double>(k));
  switch (precision) {
    case Precision::kDefault:
    case Precision::kIeee:
      return summation;
    case Precision::kTf32:
      return summation + 2 * 0x1p-10 + 0x1p-20;  // each factor cut to 11 bits, as tensor cores do
    case Precision::kTf32x3:
      return summation + 3 * 0x1p-22;  // low * low dropped, and each low part rounded
  }
  return summation;
}

// Row `row` of a factor from `first_column` on, as it is multiplied.
std::vector<Bounded> Prepared(const Factor& factor, std::int64_t row, std::int64_t first_column,
                              std::span<const double> elements) {
  std::vector<Bounded> values;
  for (const double element : elements) values.push_back({element, 0});
  const ChainReference::RowPart part{first_column, values};
  values = factor.prologue->EvaluateRow(row, std::span(&part, 1), {});
  if (factor.matrix.dtype == DType::kF32) return values;
  for (Bounded& value : values) value = ApplyCast(value, FormatOf(factor.matrix.dtype));
  return values;
}

// Puts elements of a row through the factor's prologue, if it has one, and takes down the magnitudes they may have.
void Prepare(const Factor& factor, std::int64_t row, std::int64_t first_column, std::span<double> elements,
             double* magnitudes) {
  if (!factor.prologue) {
    for (std::size_t i = 0; i < elements.size(); ++i) magnitudes[i] = std::abs(elements[i]);
    return;
  }
  const std::vector<Bounded> values = Prepared(factor, row, first_column, elements);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i] = values[i].value;
    magnitudes[i] = std::abs(values[i].value) + values[i].error;
  }
}

// Finite and in error without bound: the product with anything may be anything.
bool IsUnbounded(double value, double magnitude) { return std::isfinite(value) && std::isinf(magnitude); }

bool MayBeZero(double value, double magnitude) {
  return magnitude > std::abs(value) && magnitude >= 2 * std::abs(value);
}

}  // namespace

ProductReference::ProductReference(const Factor& a, const Factor& b, std::span<const std::int64_t> rows,
                                   Precision precision)
    : b_(b),
      rows_(static_cast<std::int64_t>(rows.size())),
      k_(a.matrix.shape[1]),
      bounded_(a.prologue || b.prologue),
      error_factor_(ErrorFactor(k_, precision)) {
  // Rows are padded with zeros to whole blocks of K.
  const std::int64_t padded = (k_ + kBlockDepth - 1) / kBlockDepth * kBlockDepth;
  a_.resize(static_cast<std::size_t>(rows_ * padded));
  if (bounded_) a_magnitudes_.resize(a_.size());
  const TensorView& matrix = a.matrix;
  for (std::int64_t r = 0; r < rows_; ++r) {
    const std::span<double> row(a_.data() + r * padded, static_cast<std::size_t>(k_));
    const std::int64_t at = rows[static_cast<std::size_t>(r)];
    if (matrix.layout == Layout::kRowMajor) {
      DecodeElements(matrix.bytes.subspan(static_cast<std::size_t>(at * k_ * SizeBytes(matrix.dtype))), matrix.dtype,
                     row);
    } else {
      for (std::int64_t k = 0; k < k_; ++k) {
        row[static_cast<std::size_t>(k)] = DecodeElement(matrix.bytes, matrix.dtype, k * matrix.shape[0] + at);
      }
    }
    if (bounded_) Prepare(a, at, 0, row, a_magnitudes_.data() + r * padded);
  }
}

void ProductReference::DecodeB(std::int64_t k0, std::int64_t depth, std::int64_t first_column, std::int64_t count,
                               Panel& panel, std::vector<double>& scratch) const {
  const TensorView& matrix = b_.matrix;
  panel.values.assign(static_cast<std::size_t>(kBlockDepth * kColumns), 0.0);
  const bool row_major = matrix.layout == Layout::kRowMajor;
  const std::int64_t runs = row_major ? depth : count, run = row_major ? count : depth;
  const std::int64_t stride = row_major ? matrix.shape[1] : matrix.shape[0];
  scratch.resize(static_cast<std::size_t>(run));
  double* const values = panel.values.data();
  for (std::int64_t i = 0; i < runs; ++i) {
    const std::int64_t at = row_major ? (k0 + i) * stride + first_column : (first_column + i) * stride + k0;
    const auto bytes = matrix.bytes.subspan(static_cast<std::size_t>(at * SizeBytes(matrix.dtype)));
    if (row_major) {
      DecodeElements(bytes, matrix.dtype, std::span(values + i * kColumns, static_cast<std::size_t>(run)));
    } else {
      DecodeElements(bytes, matrix.dtype, scratch);
      for (std::int64_t k = 0; k < run; ++k) values[k * kColumns + i] = scratch[static_cast<std::size_t>(k)];
    }
  }
  if (!bounded_) return;
  panel.magnitudes.assign(panel.values.size(), 0.0);
  for (std::int64_t k = 0; k < depth; ++k) {
    Prepare(b_, k0 + k, first_column, std::span(values + k * kColumns, static_cast<std::size_t>(count)),
            panel.magnitudes.data() + k * kColumns);
  }
}

// Whether a column's sum over the panel has a term that may be anything: a factor without bound, or an infinity times
// what may be zero and may not.
bool ProductReference::IsUndetermined(const double* a, const double* a_magnitudes, const Panel& panel,
                                      std::int64_t depth, std::int64_t column) const {
  for (std::int64_t k = 0; k < depth; ++k) {
    const auto at = static_cast<std::size_t>(k * kColumns + column);
    const double x = a[k], x_magnitude = a_magnitudes[k], y = panel.values[at], y_magnitude = panel.magnitudes[at];
    if (IsUnbounded(x, x_magnitude) || IsUnbounded(y, y_magnitude)) return true;
    if (std::isinf(x) && MayBeZero(y, y_magnitude)) return true;
    if (std::isinf(y) && MayBeZero(x, x_magnitude)) return true;
  }
  return false;
}

void ProductReference::Columns(std::int64_t first_column, std::int64_t count, std::span<Bounded> block) const {
  const std::int64_t padded = rows_ == 0 ? 0 : static_cast<std::int64_t>(a_.size()) / rows_;
  Panel panel;
  std::vector<double> scratch;
  // By element: the product, that of absolute values, and that of the largest magnitudes that the factors may have.
  std::vector<double> sums(static_cast<std::size_t>(rows_ * kColumns)), magnitudes(sums.size()), bounds, again;
  std::vector<bool> undetermined(sums.size(), false);
  if (bounded_) {
    bounds.resize(sums.size());
    again.resize(sums.size());
  }
  for (std::int64_t k0 = 0; k0 < k_; k0 += kBlockDepth) {
    const std::int64_t depth = std::min(kBlockDepth, k_ - k0), steps = (depth + 3) / 4 * 4;
    DecodeB(k0, depth, first_column, count, panel, scratch);
    for (std::int64_t r = 0; r < rows_; ++r) {
      const auto at = static_cast<std::size_t>(r * kColumns);
      const double* a = a_.data() + r * padded + k0;
      AddSteps(steps, a, panel.values.data(), &sums[at], &magnitudes[at]);
      if (!bounded_) continue;
      const double* a_magnitudes = a_magnitudes_.data() + r * padded + k0;
      AddSteps(steps, a_magnitudes, panel.magnitudes.data(), &bounds[at], &again[at]);
      for (std::int64_t j = 0; j < count; ++j) {
        const auto element = at + static_cast<std::size_t>(j);
        if (std::isfinite(bounds[element])) continue;
        if (IsUndetermined(a, a_magnitudes, panel, depth, j)) undetermined[element] = true;
      }
    }
  }
  for (std::int64_t r = 0; r < rows_; ++r) {
    for (std::int64_t j = 0; j < count; ++j) {
      const auto from = static_cast<std::size_t>(r * kColumns + j);
      const double bound = bounded_ ? bounds[from] : magnitudes[from];
      const double error = std::max(0.0, bound - magnitudes[from]) + error_factor_ * bound;
      Bounded& element = block[static_cast<std::size_t>(r * count + j)];
      element = undetermined[from] ? kUndetermined : SettleF32(sums[from], error);
    }
  }
}

}  // namespace gemmd
