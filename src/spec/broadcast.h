// How tensors relate to the product: extents by dim name or literal, and an operand's spread over a matrix.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "spec/kernel_spec.h"

namespace gemmd {

// How an input spreads over the [M, N] result when a chain uses it.
enum class Broadcast { kScalar, kRow, kColumn, kFull };
std::string_view Name(Broadcast broadcast);  // "scalar", "row", "column", "full"

// What a shape entry stands for.
struct Extent {
  std::string dim;                      // the named dim; empty for a literal entry
  std::optional<std::int64_t> literal;  // absent: dynamic

  // Of the same name, or of equal literal extents.
  friend bool operator==(const Extent& a, const Extent& b) {
    if (a.literal && b.literal) return *a.literal == *b.literal;
    return !a.dim.empty() && a.dim == b.dim;
  }
};

// For people: "M", "N (8192)", "8192".
std::string Describe(const Extent& extent);

// Nothing if the entry names a dim that the spec does not have.
std::optional<Extent> ExtentOf(const KernelSpec& spec, const ShapeEntry& entry);

struct ProductExtents {
  Extent m, n, k;  // k as A has it
};

// Nothing unless A and B are matrices whose dims exist.
std::optional<ProductExtents> ProductOf(const KernelSpec& spec);

// How the tensor spreads over a [rows, columns] matrix; nothing if it does not. A vector is told by its dim's name
// first; where the name doesn't decide (a literal, or rows and columns share one dim), an extent equal to both makes a
// row vector.
std::optional<Broadcast> BroadcastOf(const KernelSpec& spec, const TensorSpec& tensor, const Extent& rows,
                                     const Extent& columns);

// The same over one element for each row of such a matrix: a scalar or a vector of its rows.
std::optional<Broadcast> BroadcastOverRows(const KernelSpec& spec, const TensorSpec& tensor, const Extent& rows,
                                           const Extent& columns);

}  // namespace gemmd
