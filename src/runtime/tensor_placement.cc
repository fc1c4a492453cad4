#include "runtime/tensor_placement.h"

#include <algorithm>
#include <optional>

#include "base/status.h"

namespace gemmd {
namespace {

absl::Status OutOfRange(const std::string& message) { return absl::OutOfRangeError(message); }

struct Lines {
  std::int64_t count = 0;
  std::int64_t elements = 0;
  bool matrix = false;
};

// The extents of a manifest tensor as lines of contiguous elements.
absl::StatusOr<Lines> LinesOf(const ManifestTensor& tensor, const GemmShape& shape) {
  const auto matrix = [&](std::int64_t rows, std::int64_t columns) {
    return tensor.layout == Layout::kRowMajor ? Lines{rows, columns, true} : Lines{columns, rows, true};
  };
  if (tensor.extents.empty()) return Lines{};
  if (tensor.extents == "M,K") return matrix(shape.m, shape.k);
  if (tensor.extents == "K,N") return matrix(shape.k, shape.n);
  if (tensor.extents == "M,N") return matrix(shape.m, shape.n);
  if (tensor.extents == "M,N/2") return matrix(shape.m, shape.n / 2);
  if (tensor.extents == "M") return Lines{1, shape.m, false};
  if (tensor.extents == "N") return Lines{1, shape.n, false};
  if (tensor.extents == "N/2") return Lines{1, shape.n / 2, false};
  if (tensor.extents == "K") return Lines{1, shape.k, false};
  return Internal("the manifest has a tensor of extents \"{}\"", tensor.extents);
}

// Bytes from the first element to the end of the last, for a tensor with elements; nothing on overflow.
std::optional<std::int64_t> SpanBytes(const PlacedTensor& placed, std::int64_t element_bytes) {
  std::int64_t elements = 0;
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(placed.lines - 1, placed.leading_dimension, &elements) ||
      __builtin_add_overflow(elements, placed.line_elements, &elements) ||
      __builtin_mul_overflow(elements, element_bytes, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

// The leading dimension that a binding means: its own, or the contiguous one.
absl::StatusOr<std::int64_t> LeadingDimension(const CheckedTensor& checked, const Lines& lines,
                                              const TensorBinding& binding) {
  const std::int64_t given = binding.leading_dimension;
  if (given == 0 || given == lines.elements) return std::max<std::int64_t>(lines.elements, 1);
  if (!lines.matrix) return InvalidArgument("{}: a vector has no leading dimension, found {}", checked.Label(), given);
  if (given < lines.elements) {
    return InvalidArgument("{}: leading dimension {} is less than its extent {}", checked.Label(), given,
                           lines.elements);
  }
  return given;
}

// Whether every line starts where the kernel was planned for, in a matrix, and the first one in a vector.
absl::Status CheckAlignment(const CheckedTensor& checked, const Lines& lines, std::int64_t alignment_bytes,
                            const TensorBinding& binding) {
  const std::int64_t element_bytes = SizeBytes(checked.dtype);
  const std::int64_t alignment = std::max(alignment_bytes, element_bytes);
  if (checked.placed.address % static_cast<std::uint64_t>(alignment) != 0) {
    return InvalidArgument("{}: offset {} is not aligned to {} bytes, as the kernel was planned for", checked.Label(),
                           binding.offset_bytes, alignment);
  }
  if (lines.matrix && checked.placed.leading_dimension % (alignment / element_bytes) != 0) {
    return InvalidArgument("{}: leading dimension {} is not a multiple of {} ({} bytes), as the kernel was planned for",
                           checked.Label(), checked.placed.leading_dimension, alignment / element_bytes, alignment);
  }
  return absl::OkStatus();
}

absl::Status CheckExtent(const CheckedTensor& checked, const TensorBinding& binding, const MemoryRange& buffer) {
  const std::optional<std::int64_t> bytes = SpanBytes(checked.placed, SizeBytes(checked.dtype));
  if (binding.offset_bytes < 0) {
    return OutOfRange(fmt::format("{}: offset {} is negative", checked.Label(), binding.offset_bytes));
  }
  if (!bytes.has_value() || *bytes > buffer.bytes || binding.offset_bytes > buffer.bytes - *bytes) {
    return OutOfRange(fmt::format("{}: {} bytes from offset {} do not fit its buffer of {} bytes", checked.Label(),
                                  bytes.has_value() ? fmt::to_string(*bytes) : "more than 2^63", binding.offset_bytes,
                                  buffer.bytes));
  }
  return absl::OkStatus();
}

struct ByteLines {
  std::uint64_t begin = 0, end = 0;  // of the whole tensor
  std::uint64_t pitch = 0, line = 0;
};

ByteLines BytesOf(const CheckedTensor& tensor) {
  const auto element_bytes = static_cast<std::uint64_t>(SizeBytes(tensor.dtype));
  const PlacedTensor& placed = tensor.placed;
  const auto span = static_cast<std::uint64_t>(*SpanBytes(placed, SizeBytes(tensor.dtype)));
  return {placed.address, placed.address + span, static_cast<std::uint64_t>(placed.leading_dimension) * element_bytes,
          static_cast<std::uint64_t>(placed.line_elements) * element_bytes};
}

bool HasElements(const CheckedTensor& tensor) { return tensor.placed.lines > 0 && tensor.placed.line_elements > 0; }

// Exact for two tensors of one pitch; for any other pair, whether the bytes from first to last overlap.
bool Overlap(const CheckedTensor& a, const CheckedTensor& b) {
  if (!HasElements(a) || !HasElements(b)) return false;
  const ByteLines first = BytesOf(a);
  const ByteLines second = BytesOf(b);
  if (first.end <= second.begin || second.end <= first.begin) return false;
  if (first.pitch != second.pitch) return true;
  const std::uint64_t pitch = first.pitch;
  const std::uint64_t shift = (second.begin % pitch + pitch - first.begin % pitch) % pitch;
  return shift < first.line || shift + second.line > pitch;
}

bool SamePlace(const CheckedTensor& a, const CheckedTensor& b) {
  const PlacedTensor& x = a.placed;
  const PlacedTensor& y = b.placed;
  return a.full && b.full && a.dtype == b.dtype && x.address == y.address && x.lines == y.lines &&
         x.line_elements == y.line_elements && (x.leading_dimension == y.leading_dimension || x.lines == 1);
}

}  // namespace

std::string CheckedTensor::Label() const {
  return name.empty() ? fmt::format("{} {}", role, index) : fmt::format("{} \"{}\"", role, name);
}

absl::StatusOr<CheckedTensor> PlaceTensor(const ManifestTensor& tensor, std::string_view role, std::size_t index,
                                          const GemmShape& shape, const TensorBinding& binding,
                                          const MemoryRange& buffer) {
  CheckedTensor checked;
  checked.name = tensor.name;
  checked.role = role;
  checked.index = index;
  checked.dtype = tensor.dtype;
  checked.full = (tensor.extents == "M,N" || tensor.extents == "M,N/2") && tensor.layout == Layout::kRowMajor;
  GEMMD_ASSIGN_OR_RETURN(const Lines lines, LinesOf(tensor, shape));
  if (tensor.extents.empty()) return checked;  // a scalar travels by value
  checked.placed.lines = lines.count;
  checked.placed.line_elements = lines.elements;
  GEMMD_ASSIGN_OR_RETURN(checked.placed.leading_dimension, LeadingDimension(checked, lines, binding));
  if (!HasElements(checked)) return checked;
  GEMMD_RETURN_IF_ERROR(CheckExtent(checked, binding, buffer));
  checked.placed.address = buffer.address + static_cast<std::uint64_t>(binding.offset_bytes);
  GEMMD_RETURN_IF_ERROR(CheckAlignment(checked, lines, tensor.alignment_bytes, binding));
  return checked;
}

absl::StatusOr<PlacedTensor> PlaceIntermediate(const ManifestTensor& tensor, const GemmShape& shape,
                                               std::uint64_t address) {
  GEMMD_ASSIGN_OR_RETURN(const Lines lines, LinesOf(tensor, shape));
  // As the copy engine wants them; and longer ones as it is fastest with, for an eighth more memory at most.
  constexpr std::int64_t kLeastBytes = 16, kWholeBytes = 128, kLongLine = 8 * kWholeBytes;
  const std::int64_t element_bytes = SizeBytes(tensor.dtype);
  const bool is_long = lines.elements >= kLongLine / element_bytes;
  const std::int64_t step = (is_long ? kWholeBytes : kLeastBytes) / element_bytes;
  PlacedTensor placed{address, lines.count, lines.elements, (lines.elements + step - 1) / step * step};
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(placed.lines, placed.leading_dimension * element_bytes, &bytes)) {
    return ResourceExhausted("an intermediate of {} by {} elements", lines.count, lines.elements);
  }
  return placed;
}

std::int64_t BytesOf(const PlacedTensor& tensor, DType dtype) {
  return tensor.lines * tensor.leading_dimension * SizeBytes(dtype);
}

absl::Status CheckOverlaps(std::span<const CheckedTensor> inputs, std::span<const CheckedTensor> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const CheckedTensor& output = outputs[i];
    for (std::size_t j = 0; j < i; ++j) {
      if (Overlap(output, outputs[j])) return InvalidArgument("{} overlaps {}", output.Label(), outputs[j].Label());
    }
    int aliases = 0;
    for (const CheckedTensor& input : inputs) {
      if (!Overlap(output, input)) continue;
      if (!SamePlace(output, input)) {
        return InvalidArgument("{} overlaps {}; in place needs a full operand of the same place, shape and dtype",
                               output.Label(), input.Label());
      }
      if (++aliases > 1) return InvalidArgument("{} lies on {} and on another operand", output.Label(), input.Label());
    }
  }
  return absl::OkStatus();
}

}  // namespace gemmd
