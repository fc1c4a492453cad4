// Where the tensors of one launch lie, and whether they may lie there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/launch_plan.h"

namespace gemmd {

// A tensor with what the checks between tensors need.
struct CheckedTensor {
  std::string_view name, role;  // views of the manifest's and of what PlaceTensor was given
  std::size_t index = 0;
  DType dtype = DType::kF32;
  bool full = false;  // an [M, N] matrix, row-major: what an output may alias
  PlacedTensor placed;

  std::string Label() const;  // "output \"out\"", or "output 0" where the manifest has no names
};

// Checks one tensor against its buffer. `role` is "input" or "output". Errors: see PlanLaunch.
absl::StatusOr<CheckedTensor> PlaceTensor(const ManifestTensor& tensor, std::string_view role, std::size_t index,
                                          const GemmShape& shape, const TensorBinding& binding,
                                          const MemoryRange& buffer);

// A tensor between kernels, from `address` on: every line starts on 16 bytes.
// Errors: ResourceExhausted (it is larger than any memory).
absl::StatusOr<PlacedTensor> PlaceIntermediate(const ManifestTensor& tensor, const GemmShape& shape,
                                               std::uint64_t address);
std::int64_t BytesOf(const PlacedTensor& tensor, DType dtype);

// Errors: InvalidArgument for an output that overlaps another, or an input other than in place.
absl::Status CheckOverlaps(std::span<const CheckedTensor> inputs, std::span<const CheckedTensor> outputs);

}  // namespace gemmd
