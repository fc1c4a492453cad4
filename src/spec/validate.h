// Semantic checks of a spec, whatever spelling it came in.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "spec/diagnostic.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// Every error of the spec; empty when later stages may take it as legal.
std::vector<Diagnostic> Validate(const KernelSpec& spec);

// The extents for one launch: literal dims from the spec, dynamic ones from `dims`. Requires a valid spec.
// Errors: InvalidArgument (a dynamic dim missing, an unknown or negative one, a literal contradicted).
absl::StatusOr<GemmShape> ResolveShape(const KernelSpec& spec, const std::map<std::string, std::int64_t>& dims);

// A tensor's extents in elements for one launch ({} for a scalar), with every dim in `dims` or literal.
absl::StatusOr<std::vector<std::int64_t>> ResolveTensor(const KernelSpec& spec, const TensorSpec& tensor,
                                                        const std::map<std::string, std::int64_t>& dims);

}  // namespace gemmd
