#include "runtime/host_tensor.h"

#include <Eigen/Core>
#include <cstring>
#include <vector>

namespace gemmd {
namespace {

template <typename Element>
void Load(const std::byte* source, std::span<float> out) {
  const Eigen::Map<const Eigen::Array<Element, Eigen::Dynamic, 1>> from(reinterpret_cast<const Element*>(source),
                                                                        static_cast<Eigen::Index>(out.size()));
  Eigen::Map<Eigen::ArrayXf>(out.data(), from.size()) = from.template cast<float>();
}

template <typename Element>
void Store(std::span<const float> values, std::byte* target) {
  const Eigen::Map<const Eigen::ArrayXf> from(values.data(), static_cast<Eigen::Index>(values.size()));
  Eigen::Map<Eigen::Array<Element, Eigen::Dynamic, 1>>(reinterpret_cast<Element*>(target), from.size()) =
      from.cast<Element>();
}

}  // namespace

void LoadElements(DType dtype, const std::byte* source, std::span<float> out) {
  if (out.empty()) return;
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out.data(), source, out.size_bytes());
      return;
    case DType::kF16:
      return Load<Eigen::half>(source, out);
    case DType::kBf16:
      return Load<Eigen::bfloat16>(source, out);
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
    case DType::kI32:
      return;
  }
}

void StoreElements(DType dtype, std::span<const float> values, std::byte* target) {
  if (values.empty()) return;  // nothing may come from nowhere
  switch (dtype) {
    case DType::kF32:
      std::memcpy(target, values.data(), values.size_bytes());
      return;
    case DType::kF16:
      return Store<Eigen::half>(values, target);
    case DType::kBf16:
      return Store<Eigen::bfloat16>(values, target);
    case DType::kI32:
      return Store<std::int32_t>(values, target);
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
      return;
  }
}

void LoadBlock(DType dtype, Layout layout, const HostTensor& matrix, const Block& block, std::span<float> out) {
  const bool row_major = layout == Layout::kRowMajor;
  const std::int64_t first_line = row_major ? block.row : block.column;
  const std::int64_t lines = row_major ? block.rows : block.columns;
  const std::int64_t start = row_major ? block.column : block.row;
  const std::int64_t elements = row_major ? block.columns : block.rows;
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::int64_t offset = (first_line + line) * matrix.leading_dimension + start;
    LoadElements(dtype, matrix.data + offset * SizeBytes(dtype),
                 out.subspan(static_cast<std::size_t>(line * elements), static_cast<std::size_t>(elements)));
  }
}

void LoadRows(DType dtype, Layout layout, const HostTensor& matrix, const Block& block, std::span<float> out) {
  if (layout == Layout::kRowMajor) return LoadBlock(dtype, layout, matrix, block, out);
  std::vector<float> columns(out.size());
  LoadBlock(dtype, layout, matrix, block, columns);
  for (std::int64_t row = 0; row < block.rows; ++row) {
    for (std::int64_t column = 0; column < block.columns; ++column) {
      out[static_cast<std::size_t>(row * block.columns + column)] =
          columns[static_cast<std::size_t>(column * block.rows + row)];
    }
  }
}

}  // namespace gemmd
