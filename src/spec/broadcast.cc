#include "spec/broadcast.h"

#include <fmt/format.h>

namespace gemmd {

std::string_view Name(Broadcast broadcast) {
  switch (broadcast) {
    case Broadcast::kScalar:
      return "scalar";
    case Broadcast::kRow:
      return "row";
    case Broadcast::kColumn:
      return "column";
    case Broadcast::kFull:
      return "full";
  }
  return "";
}

std::string Describe(const Extent& extent) {
  if (extent.dim.empty()) return fmt::format("{}", extent.literal.value_or(0));
  if (extent.literal) return fmt::format("{} ({})", extent.dim, *extent.literal);
  return extent.dim;
}

std::optional<Extent> ExtentOf(const KernelSpec& spec, const ShapeEntry& entry) {
  if (const auto* literal = std::get_if<std::int64_t>(&entry)) return Extent{"", *literal};
  const std::string& name = std::get<std::string>(entry);
  const auto dim = spec.dims.find(name);
  if (dim == spec.dims.end()) return std::nullopt;
  return Extent{name, dim->second.extent};
}

std::optional<ProductExtents> ProductOf(const KernelSpec& spec) {
  const auto a = spec.inputs.find(spec.matmul_a), b = spec.inputs.find(spec.matmul_b);
  if (a == spec.inputs.end() || b == spec.inputs.end()) return std::nullopt;
  if (a->second.shape.size() != 2 || b->second.shape.size() != 2) return std::nullopt;
  const auto m = ExtentOf(spec, a->second.shape[0]), k = ExtentOf(spec, a->second.shape[1]);
  const auto n = ExtentOf(spec, b->second.shape[1]);
  if (!m || !n || !k) return std::nullopt;
  return ProductExtents{*m, *n, *k};
}

std::optional<Broadcast> BroadcastOf(const KernelSpec& spec, const TensorSpec& tensor, const Extent& rows,
                                     const Extent& columns) {
  if (tensor.shape.empty()) return Broadcast::kScalar;
  const auto first = ExtentOf(spec, tensor.shape[0]);
  if (!first) return std::nullopt;
  if (tensor.shape.size() == 1) {
    if (!first->dim.empty() && first->dim == columns.dim) return Broadcast::kRow;
    if (!first->dim.empty() && first->dim == rows.dim) return Broadcast::kColumn;
    if (*first == columns) return Broadcast::kRow;
    if (*first == rows) return Broadcast::kColumn;
    return std::nullopt;
  }
  const auto second = ExtentOf(spec, tensor.shape[1]);
  if (tensor.shape.size() != 2 || !second || *first != rows || *second != columns) return std::nullopt;
  return Broadcast::kFull;
}

std::optional<Broadcast> BroadcastOverRows(const KernelSpec& spec, const TensorSpec& tensor, const Extent& rows,
                                           const Extent& columns) {
  if (tensor.shape.empty()) return Broadcast::kScalar;
  const auto extent = ExtentOf(spec, tensor.shape[0]);
  if (!extent || tensor.shape.size() != 1 || *extent != rows) return std::nullopt;
  const bool named_for_columns = !extent->dim.empty() && extent->dim == columns.dim && extent->dim != rows.dim;
  return named_for_columns ? std::nullopt : std::optional(Broadcast::kColumn);
}

}  // namespace gemmd
