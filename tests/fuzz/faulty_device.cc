#include "tests/fuzz/faulty_device.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/status.h"

namespace gemmd {

std::string_view Name(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "None";
    case Fault::kNothingComputed:
      return "NothingComputed";
    case Fault::kWrongLine:
      return "WrongLine";
    case Fault::kUnwrittenElement:
      return "UnwrittenElement";
    case Fault::kWriteBefore:
      return "WriteBefore";
    case Fault::kWriteBehind:
      return "WriteBehind";
    case Fault::kWriteBetweenLines:
      return "WriteBetweenLines";
    case Fault::kChangedInput:
      return "ChangedInput";
    case Fault::kWrongWhereInPlace:
      return "WrongWhereInPlace";
  }
  return "";
}

absl::StatusOr<LoadedKernelId> FaultyDevice::Load(const KernelImage& image, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const LoadedKernelId id, inner_->Load(image, deadline));
  const std::lock_guard lock(mutex_);
  manifests_[id] = image.manifest;
  return id;
}

absl::Status FaultyDevice::Unload(LoadedKernelId kernel, absl::Time deadline) {
  const std::lock_guard lock(mutex_);
  manifests_.erase(kernel);
  return inner_->Unload(kernel, deadline);
}

// The highest exponent bit, where a byte is an element's last one.
absl::Status FaultyDevice::FlipBytes(const TensorBinding& binding, std::int64_t first_byte, std::int64_t bytes,
                                     std::int64_t step) {
  std::array<std::byte, 1> byte{};
  for (std::int64_t at = first_byte; at < first_byte + bytes; at += step) {
    GEMMD_RETURN_IF_ERROR(Read(binding.buffer, binding.offset_bytes + at, byte, absl::InfiniteFuture()));
    byte[0] ^= std::byte{0x40};
    GEMMD_RETURN_IF_ERROR(Write(binding.buffer, binding.offset_bytes + at, byte, absl::InfiniteFuture()));
  }
  return absl::OkStatus();
}

namespace {

// The lines of an output, and the elements of each.
std::pair<std::int64_t, std::int64_t> LineExtentsOf(const ManifestTensor& output, const GemmShape& shape) {
  if (output.extents == "M") return {1, shape.m};
  return {shape.m, output.extents == "M,N/2" ? shape.n / 2 : shape.n};
}

}  // namespace

absl::StatusOr<LaunchResult> FaultyDevice::Launch(const LaunchRequest& request, absl::Time deadline) {
  const std::lock_guard lock(mutex_);
  const Manifest& manifest = manifests_.at(request.kernel);
  const auto extents_of = [&](const TensorBinding& output) {
    return LineExtentsOf(manifest.outputs[static_cast<std::size_t>(&output - request.outputs.data())], request.shape);
  };
  const auto has_elements = [&](const TensorBinding& output) {
    return extents_of(output).first > 0 && extents_of(output).second > 0;
  };
  const auto written = std::find_if(request.outputs.begin(), request.outputs.end(), has_elements);
  const bool empty = written == request.outputs.end();
  if (fault_ == Fault::kNothingComputed && !empty) {
    ++done_;
    return LaunchResult{};
  }
  const auto lies_on_input = [&](const TensorBinding& output) {
    return std::any_of(request.inputs.begin(), request.inputs.end(), [&](const TensorBinding& input) {
      return input.buffer == output.buffer && input.buffer != BufferId{};
    });
  };
  const auto in_place = std::find_if(request.outputs.begin(), request.outputs.end(), lies_on_input);
  const bool wants_in_place = fault_ == Fault::kWrongWhereInPlace && in_place != request.outputs.end();
  const TensorBinding& output = wants_in_place ? *in_place : empty ? request.outputs.front() : *written;
  const ManifestTensor& stored = manifest.outputs[static_cast<std::size_t>(&output - request.outputs.data())];
  const std::int64_t element_bytes = SizeBytes(stored.dtype);
  const auto [lines, line_elements] = extents_of(output);
  const std::int64_t line_bytes = line_elements * element_bytes;
  const std::int64_t pitch_bytes = std::max(output.leading_dimension * element_bytes, line_bytes);
  const std::int64_t end = (lines - 1) * pitch_bytes + line_bytes;
  std::array<std::byte, 4> before{};
  const std::span<std::byte> element = std::span(before).first(static_cast<std::size_t>(element_bytes));
  if (!empty) {
    GEMMD_RETURN_IF_ERROR(inner_->Read(output.buffer, output.offset_bytes + end - element_bytes, element, deadline));
  }
  auto result = inner_->Launch(request, deadline);
  if (empty || !result.ok()) return result;
  const auto flip = [&](const TensorBinding& binding, std::int64_t first_byte, std::int64_t bytes, std::int64_t step) {
    ++done_;
    return FlipBytes(binding, first_byte, bytes, step);
  };
  switch (fault_) {
    case Fault::kNone:
    case Fault::kNothingComputed:
      break;
    case Fault::kWrongLine:
      GEMMD_RETURN_IF_ERROR(flip(output, element_bytes - 1, line_bytes - element_bytes + 1, element_bytes));
      break;
    case Fault::kUnwrittenElement:
      ++done_;
      GEMMD_RETURN_IF_ERROR(inner_->Write(output.buffer, output.offset_bytes + end - element_bytes, element, deadline));
      break;
    case Fault::kWriteBefore:
      GEMMD_RETURN_IF_ERROR(flip(output, -1, 1, 1));
      break;
    case Fault::kWriteBehind:
      GEMMD_RETURN_IF_ERROR(flip(output, end, 1, 1));
      break;
    case Fault::kWriteBetweenLines:
      if (pitch_bytes > line_bytes) GEMMD_RETURN_IF_ERROR(flip(output, line_bytes, 1, 1));
      break;
    case Fault::kChangedInput:
      if (request.shape.k > 0) GEMMD_RETURN_IF_ERROR(flip(request.inputs.front(), 0, 1, 1));
      break;
    case Fault::kWrongWhereInPlace:
      if (wants_in_place)
        GEMMD_RETURN_IF_ERROR(flip(output, element_bytes - 1, line_bytes - element_bytes + 1, element_bytes));
      break;
  }
  return result;
}

}  // namespace gemmd
