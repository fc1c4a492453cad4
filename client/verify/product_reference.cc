#include "client/verify/product_reference.h"

#include <algorithm>
#include <cmath>

namespace gemmd {
namespace {

constexpr std::int64_t kBlockDepth = 256;  // with 64 columns of fp64 the panel of B is 128 KiB: it stays in L2
constexpr std::int64_t kColumns = ProductReference::kBlockColumns;

// The same loop for the vector units at hand. Sanitizers can't run before the loader has picked one.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
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
      return summation + 2 * 0x1p-11 + 0x1p-22;  // each factor rounded to 11 bits
    case Precision::kTf32x3:
      return summation + 3 * 0x1p-22;  // low * low dropped, and each low part rounded
  }
  return summation;
}

}  // namespace

ProductReference::ProductReference(const TensorView& a, const TensorView& b, std::span<const std::int64_t> rows,
                                   Precision precision)
    : b_(b), rows_(static_cast<std::int64_t>(rows.size())), k_(a.shape[1]), error_factor_(ErrorFactor(k_, precision)) {
  // Rows are padded with zeros to whole blocks of K.
  const std::int64_t padded = (k_ + kBlockDepth - 1) / kBlockDepth * kBlockDepth;
  a_.resize(static_cast<std::size_t>(rows_ * padded));
  for (std::int64_t r = 0; r < rows_; ++r) {
    const std::span<double> row(a_.data() + r * padded, static_cast<std::size_t>(k_));
    const std::int64_t at = rows[static_cast<std::size_t>(r)];
    if (a.layout == Layout::kRowMajor) {
      DecodeElements(a.bytes.subspan(static_cast<std::size_t>(at * k_ * SizeBytes(a.dtype))), a.dtype, row);
    } else {
      for (std::int64_t k = 0; k < k_; ++k) {
        row[static_cast<std::size_t>(k)] = DecodeElement(a.bytes, a.dtype, k * a.shape[0] + at);
      }
    }
  }
}

void ProductReference::DecodeB(std::int64_t k0, std::int64_t depth, std::int64_t first_column, std::int64_t count,
                               double* panel, std::vector<double>& scratch) const {
  std::fill(panel, panel + kBlockDepth * kColumns, 0.0);
  const bool row_major = b_.layout == Layout::kRowMajor;
  const std::int64_t runs = row_major ? depth : count, run = row_major ? count : depth;
  const std::int64_t stride = row_major ? b_.shape[1] : b_.shape[0];
  scratch.resize(static_cast<std::size_t>(run));
  for (std::int64_t i = 0; i < runs; ++i) {
    const std::int64_t at = row_major ? (k0 + i) * stride + first_column : (first_column + i) * stride + k0;
    const auto bytes = b_.bytes.subspan(static_cast<std::size_t>(at * SizeBytes(b_.dtype)));
    if (row_major) {
      DecodeElements(bytes, b_.dtype, std::span(panel + i * kColumns, static_cast<std::size_t>(run)));
    } else {
      DecodeElements(bytes, b_.dtype, scratch);
      for (std::int64_t k = 0; k < run; ++k) panel[k * kColumns + i] = scratch[static_cast<std::size_t>(k)];
    }
  }
}

void ProductReference::Columns(std::int64_t first_column, std::int64_t count, std::span<Bounded> block) const {
  const std::int64_t padded = rows_ == 0 ? 0 : static_cast<std::int64_t>(a_.size()) / rows_;
  std::vector<double> panel(kBlockDepth * kColumns), scratch;
  std::vector<double> sums(static_cast<std::size_t>(rows_ * kColumns)), magnitudes(sums.size());
  for (std::int64_t k0 = 0; k0 < k_; k0 += kBlockDepth) {
    DecodeB(k0, std::min(kBlockDepth, k_ - k0), first_column, count, panel.data(), scratch);
    const std::int64_t steps = (std::min(kBlockDepth, k_ - k0) + 3) / 4 * 4;
    for (std::int64_t r = 0; r < rows_; ++r) {
      const auto at = static_cast<std::size_t>(r * kColumns);
      AddSteps(steps, &a_[static_cast<std::size_t>(r * padded + k0)], panel.data(), &sums[at], &magnitudes[at]);
    }
  }
  for (std::int64_t r = 0; r < rows_; ++r) {
    for (std::int64_t j = 0; j < count; ++j) {
      const auto from = static_cast<std::size_t>(r * kColumns + j);
      block[static_cast<std::size_t>(r * count + j)] = SettleF32(sums[from], error_factor_ * magnitudes[from]);
    }
  }
}

}  // namespace gemmd
