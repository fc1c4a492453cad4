// Where the tensors of one launch lie, and whether they may lie there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/launch_plan.h"

namespace gemmd {

// A tensor with what the checks between tensors need.
struct CheckedTensor {
  std::string label;  // "output \"out\"", or "output 0" where the manifest has no names
  DType dtype = DType::kF32;
  bool full = false;  // an [M, N] matrix, row-major: what an output may alias
  PlacedTensor placed;
};

// Checks one tensor against its buffer. `role` is "input" or "output". Errors: see PlanLaunch.
absl::StatusOr<CheckedTensor> PlaceTensor(const ManifestTensor& tensor, std::string_view role, std::size_t index,
                                          const GemmShape& shape, const TensorBinding& binding,
                                          const MemoryRange& buffer);

// Errors: InvalidArgument for an output that overlaps another, or an input other than in place.
absl::Status CheckOverlaps(const std::vector<CheckedTensor>& inputs, const std::vector<CheckedTensor>& outputs);

}  // namespace gemmd
