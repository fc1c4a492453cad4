// From a manifest and a request to what is launched: pure functions, the same checks for every device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "plan/manifest.h"
#include "runtime/device.h"

namespace gemmd {

inline constexpr std::size_t kTensorMapBytes = 128;

// The memory of a binding's buffer. {0, 0} for a binding that names no buffer.
struct MemoryRange {
  std::uint64_t address = 0;
  std::int64_t bytes = 0;
};

// A tensor of one launch: `lines` runs of `line_elements` contiguous elements, `leading_dimension` elements apart.
// A row-major matrix has a line for each row, a column-major one for each column, a vector is one line.
struct PlacedTensor {
  std::uint64_t address = 0;
  std::int64_t lines = 0;
  std::int64_t line_elements = 0;
  std::int64_t leading_dimension = 0;
};

// The vectors of a plan hold what most launches have without host memory of their own: planning one then allocates
// nothing.
using PlacedTensors = absl::InlinedVector<PlacedTensor, kInlineTensors>;
using LaunchParams = absl::InlinedVector<std::byte, 512>;

struct PlannedStep {
  std::size_t index = 0;  // into the variant's launches
  std::int64_t grid_x = 0;
  LaunchParams params;  // tensor maps are left zero: only a driver can encode them
};

struct LaunchPlan {
  PlacedTensors inputs, outputs;              // by graph index; a scalar has no lines
  PlacedTensors intermediates;                // by the manifest's index
  MemoryRange counters;                       // of the workspace: zeros when the first step starts
  std::uint64_t parts = 0;                    // of the workspace
  std::size_t variant = 0;                    // index into Manifest::variants
  absl::InlinedVector<PlannedStep, 3> steps;  // those that have something to compute
};

// The first variant that covers M. Errors: InvalidArgument.
absl::StatusOr<std::size_t> SelectVariant(const Manifest& manifest, std::int64_t m);

// Whether a cubin for `image` runs on `device`: the same major and no later minor, or the very same for an
// arch-specific one (CUDA C++ Programming Guide, binary compatibility).
bool CanRun(const Arch& image, const Arch& device);

// Of the memory that a launch's intermediates and workspace take, one behind the other. Errors: ResourceExhausted.
absl::StatusOr<std::int64_t> ScratchBytes(const Manifest& manifest, const GemmShape& shape);

// `inputs` and `outputs` are the memory of the request's bindings, in the same order; at `scratch`, aligned to 256
// bytes, ScratchBytes of memory are the launch's own. A tensor without elements needs no buffer. An output may
// lie exactly on one full operand of its dtype (in place); two tensors whose lines interleave without touching (column
// slices of one matrix) do not overlap. Errors: InvalidArgument (extents that contradict the manifest or exceed i32, a
// leading dimension below its extent, a misaligned pointer, an overlap), OutOfRange (a tensor past its buffer); each
// names the tensor. Internal (a malformed manifest).
absl::StatusOr<LaunchPlan> PlanLaunch(const Manifest& manifest, const LaunchRequest& request,
                                      std::span<const MemoryRange> inputs, std::span<const MemoryRange> outputs,
                                      std::uint64_t scratch = 0);

}  // namespace gemmd
