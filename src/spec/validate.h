// Semantic checks of a spec, whatever spelling it came in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "spec/diagnostic.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// Kernels count in 32 bits, and step up to a tile, or a grid's CTAs, past what they count.
inline constexpr std::int64_t kMaxExtent = std::numeric_limits<std::int32_t>::max() - 65536;
inline constexpr std::int64_t kMaxTensorBytes = (std::int64_t{1} << 62) - 1;
inline constexpr std::int64_t kMaxIndexedColumns = std::int64_t{1} << 24;  // that f32 tells apart
inline constexpr std::size_t kMaxTensors = 128;  // inputs and outputs; keeps a kernel's parameters under 4 KiB
inline constexpr std::size_t kMaxChainOperations = 4096;
inline constexpr std::size_t kMaxNameBytes = 256;
inline constexpr std::size_t kMaxIdentifierBytes = 64;

// What a config may pin the schedule to.
inline constexpr std::string_view kScheduleNames[] = {"simt", "mma", "wgmma", "skinny"};

// Every error of the spec; empty when later stages may take it as legal. What is unused is reported only when every
// reference resolves, so that one typo makes one error.
std::vector<Diagnostic> Validate(const KernelSpec& spec);

// The extents for one launch: literal dims from the spec, dynamic ones from `dims`. Requires a valid spec.
// Errors: InvalidArgument (a dynamic dim missing, an unknown or negative one, a literal contradicted, rows that an
// operation does not take).
absl::StatusOr<GemmShape> ResolveShape(const KernelSpec& spec, const std::map<std::string, std::int64_t>& dims);

// A tensor's extents in elements for one launch ({} for a scalar), with every dim in `dims` or literal.
// Errors: InvalidArgument (a dynamic dim missing, an extent out of range).
absl::StatusOr<std::vector<std::int64_t>> ResolveTensor(const KernelSpec& spec, const TensorSpec& tensor,
                                                        const std::map<std::string, std::int64_t>& dims);

// What a valid spec stores, in order: row-major [M, N], [M, N / 2] after a gate, or [M] after a reduction of rows.
struct OutputTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
};
std::vector<OutputTensor> ResolveOutputs(const KernelSpec& spec, const GemmShape& shape);

}  // namespace gemmd
