// Sampled rows of A * B in fp64.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "client/tensor/tensor.h"
#include "client/verify/bounded.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// Immutable after construction, so columns may be computed by many threads at once.
class ProductReference {
 public:
  // Columns are computed this many at a time at most.
  static constexpr std::int64_t kBlockColumns = 64;

  // `a` is [M, K], `b` [K, N]; both views outlive this. Rows of A are kept in fp64: rows.size() * K * 8 bytes.
  ProductReference(const TensorView& a, const TensorView& b, std::span<const std::int64_t> rows, Precision precision);

  // Fills block[r * count + j] with element (rows[r], first_column + j) for j < count. The error is that of products
  // taken in `precision` and summed in f32: 4 u sqrt(K) (|A||B|), DESIGN's bound for any order of summation, and for
  // tf32 what the rounding of both factors adds. Requires count <= kBlockColumns.
  void Columns(std::int64_t first_column, std::int64_t count, std::span<Bounded> block) const;

 private:
  void DecodeB(std::int64_t k0, std::int64_t depth, std::int64_t first_column, std::int64_t count, double* panel,
               std::vector<double>& scratch) const;

  TensorView b_;
  std::int64_t rows_ = 0, k_ = 0;
  double error_factor_ = 0;  // of |A||B|
  std::vector<double> a_;    // [rows][K]
};

}  // namespace gemmd
