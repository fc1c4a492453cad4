// Sampled rows of A * B in fp64.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "client/tensor/tensor.h"
#include "client/verify/bounded.h"
#include "client/verify/chain_reference.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// A or B: the matrix as it is given, and the chain that is applied to it before the product.
struct Factor {
  TensorView matrix;
  std::optional<ChainReference> prologue;
};

// Immutable after construction, so columns may be computed by many threads at once.
class ProductReference {
 public:
  // Columns are computed this many at a time at most.
  static constexpr std::int64_t kBlockColumns = 64;

  // `a` is [M, K], `b` [K, N]; both views outlive this. Rows of A are kept in fp64: rows.size() * K * 8
  // bytes, twice that with a prologue on either side.
  ProductReference(const Factor& a, const Factor& b, std::span<const std::int64_t> rows, Precision precision);

  // Fills block[r * count + j] with element (rows[r], first_column + j) for j < count. The error is that of products
  // taken in `precision` and summed in f32: 4 u sqrt(K) (|A||B|), DESIGN's bound for any order of summation, and for
  // tf32 what the cutting of both factors adds. What a prologue gives is rounded to its matrix's dtype, and is as far
  // off as the chain may be: that goes into each product. Requires count <= kBlockColumns.
  void Columns(std::int64_t first_column, std::int64_t count, std::span<Bounded> block) const;

 private:
  // A block of B: what is multiplied, and the largest magnitude that it may have.
  struct Panel {
    std::vector<double> values, magnitudes;  // [k][column]; magnitudes are empty without a prologue
  };
  void DecodeB(std::int64_t k0, std::int64_t depth, std::int64_t first_column, std::int64_t count, Panel& panel,
               std::vector<double>& scratch) const;
  bool IsUndetermined(const double* a, const double* a_magnitudes, const Panel& panel, std::int64_t depth,
                      std::int64_t column) const;

  Factor b_;
  std::int64_t rows_ = 0, k_ = 0;
  bool bounded_ = false;              // a prologue on either side: factors have errors of their own
  double error_factor_ = 0;           // of |A||B|
  std::vector<double> a_;             // [rows][K], padded to whole blocks
  std::vector<double> a_magnitudes_;  // the same; the largest that each may have. Empty unless bounded_
};

}  // namespace gemmd
