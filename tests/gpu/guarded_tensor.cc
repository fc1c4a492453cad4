#include "tests/gpu/guarded_tensor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::int64_t kRedZoneBytes = 512;  // keeps the alignment of the buffer
constexpr std::byte kRedZone{0xA5};

// Signalling: exponent all ones, quiet bit clear. Conversions and arithmetic only make quiet ones.
std::uint32_t PoisonBits(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 0xff85a5a5;
    case DType::kF16:
      return 0xfda5;
    case DType::kBf16:
      return 0xffa5;
    case DType::kI32:
      return 0xffa5a5a5;  // no index
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kI8:
      break;  // no spec with them is valid
  }
  return 0;
}

}  // namespace

TensorBinding BindingOf(DType dtype, const Placement& placement) {
  return {.buffer = {},
          .offset_bytes = kRedZoneBytes + placement.offset_elements * SizeBytes(dtype),
          .leading_dimension = placement.leading_dimension};
}

void PoisonForDevice(Tensor& tensor) {
  const std::uint32_t bits = PoisonBits(tensor.dtype);
  const auto size = static_cast<std::size_t>(SizeBytes(tensor.dtype));
  for (std::size_t at = 0; at < tensor.bytes.size(); at += size) std::memcpy(&tensor.bytes[at], &bits, size);
}

std::string FirstUnwritten(const Tensor& tensor) {
  const std::uint32_t poison = PoisonBits(tensor.dtype);
  const auto size = static_cast<std::size_t>(SizeBytes(tensor.dtype));
  const std::size_t line = static_cast<std::size_t>(tensor.shape.empty() ? 1 : tensor.shape.back());
  for (std::size_t at = 0; at < tensor.bytes.size(); at += size) {
    if (std::memcmp(&tensor.bytes[at], &poison, size) != 0) continue;
    return fmt::format("[{}, {}]", at / size / line, at / size % line);
  }
  return "";
}

absl::StatusOr<GuardedTensor> GuardedTensor::Send(Device& device, Tensor tensor, const Placement& placement) {
  GuardedTensor guarded;
  const std::int64_t element_bytes = SizeBytes(tensor.dtype);
  const bool by_column = tensor.shape.size() == 2 && tensor.layout == Layout::kColumnMajor;
  const std::int64_t line_elements = by_column ? tensor.shape.front() : tensor.shape.back();
  guarded.lines_ = tensor.shape.size() < 2 ? 1 : tensor.shape[by_column ? 1 : 0];
  guarded.line_bytes_ = line_elements * element_bytes;
  guarded.pitch_bytes_ = std::max(placement.leading_dimension, line_elements) * element_bytes;
  guarded.placement_ = placement;
  guarded.tensor_ = std::move(tensor);
  const std::int64_t bytes =
      2 * kRedZoneBytes + placement.offset_elements * element_bytes + guarded.lines_ * guarded.pitch_bytes_;
  guarded.image_.assign(static_cast<std::size_t>(bytes), kRedZone);
  for (std::int64_t line = 0; line < guarded.lines_ && guarded.line_bytes_ > 0; ++line) {
    std::memcpy(&guarded.image_[guarded.LineStart(line)], &guarded.tensor_.bytes[line * guarded.line_bytes_],
                guarded.line_bytes_);
  }
  GEMMD_ASSIGN_OR_RETURN(guarded.buffer_, device.Allocate(bytes, absl::InfiniteFuture()));
  GEMMD_RETURN_IF_ERROR(device.Write(guarded.buffer_, 0, guarded.image_, absl::InfiniteFuture()));
  return guarded;
}

TensorArgument GuardedTensor::argument() const {
  TensorBinding binding = BindingOf(tensor_.dtype, placement_);
  binding.buffer = buffer_;
  return {.binding = binding, .buffer_bytes = static_cast<std::int64_t>(image_.size())};
}

absl::Status GuardedTensor::Receive(Device& device) {
  received_.resize(image_.size());
  GEMMD_RETURN_IF_ERROR(device.Read(buffer_, 0, received_, absl::InfiniteFuture()));
  return device.Free(buffer_, absl::InfiniteFuture());
}

Tensor GuardedTensor::Received() const {
  Tensor tensor = tensor_;
  for (std::int64_t line = 0; line < lines_ && line_bytes_ > 0; ++line) {
    std::memcpy(&tensor.bytes[line * line_bytes_], &received_[LineStart(line)], line_bytes_);
  }
  return tensor;
}

std::string GuardedTensor::Damage(bool writable) const {
  const auto first = static_cast<std::int64_t>(LineStart(0));
  for (std::size_t i = 0; i < received_.size(); ++i) {
    if (received_[i] == image_[i]) continue;
    const std::int64_t at = static_cast<std::int64_t>(i) - first;
    const bool inside = at >= 0 && pitch_bytes_ > 0 && at / pitch_bytes_ < lines_ && at % pitch_bytes_ < line_bytes_;
    if (!inside || !writable) return fmt::format("byte {} of {}", at, lines_ * pitch_bytes_);
  }
  return "";
}

std::size_t GuardedTensor::LineStart(std::int64_t line) const {
  return static_cast<std::size_t>(BindingOf(tensor_.dtype, placement_).offset_bytes + line * pitch_bytes_);
}

}  // namespace gemmd
