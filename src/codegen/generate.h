// Plan to CUDA C++ text. No CUDA needed; the result is short, readable and independent of the user's names.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "plan/plan.h"

namespace gemmd {

struct GeneratedKernel {
  std::string entry;   // the extern "C" symbol
  std::string source;  // includes nothing but the device library
};

// Errors: Internal (a hole of the template missing or unused: a bug of ours).
absl::StatusOr<GeneratedKernel> Generate(const Graph& graph, const KernelPlan& kernel);

}  // namespace gemmd
