// What one launch of a spec takes and gives: every tensor with its extents, every scalar with its value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "plan/graph.h"
#include "spec/kernel_spec.h"

namespace gemmd {

using DimValues = std::map<std::string, std::int64_t>;
using ScalarValues = std::map<std::string, float>;

struct SignatureTensor {
  std::string name;
  DType dtype = DType::kF32;
  Layout layout = Layout::kRowMajor;
  std::vector<std::int64_t> extents;  // elements; {} for a scalar
  std::int64_t bytes = 0;             // contiguous; 0 for a scalar, which is passed by value
};

struct LaunchSignature {
  GemmShape shape;
  std::vector<SignatureTensor> inputs;   // by graph index
  std::vector<SignatureTensor> outputs;  // by graph index
  std::vector<float> scalars;            // by graph index of the input; 0 for the others
};

inline bool IsScalar(const SignatureTensor& tensor) { return tensor.extents.empty(); }

// A value for each scalar input, for where any does: they are parameters of a launch and change nothing but its
// results.
ScalarValues SomeScalars(const KernelSpec& spec);

// Requires a valid spec and its canonical form. Errors: InvalidArgument (a dim or a scalar missing, unknown or out of
// range; a tensor over kMaxTensorBytes), naming it.
absl::StatusOr<LaunchSignature> ResolveSignature(const KernelSpec& spec, const CanonicalSpec& canonical,
                                                 const DimValues& dims, const ScalarValues& scalars);

}  // namespace gemmd
