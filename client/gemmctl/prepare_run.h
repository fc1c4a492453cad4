// The tensors of one run: inputs from files or made up, outputs poisoned.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/gemmctl/options.h"
#include "client/tensor/tensor.h"
#include "client/verify/verify.h"
#include "spec/kernel_spec.h"

namespace gemmd {

struct PreparedRun {
  KernelSpec spec;
  GemmShape shape;
  std::map<std::string, float> scalars;
  std::map<std::string, Tensor> inputs;   // in the spec's layouts
  std::map<std::string, Tensor> outputs;  // NaN everywhere, so that what nobody writes can't pass for a result

  // Both see this object's memory.
  RunCall Call(const std::string& spec_json, const RunOptions& options);
  VerifySubject Subject() const;
};

// Requires a valid spec. Random data is uniform in [-1, 1), the matmul's B divided by sqrt(K) so that accumulators are
// of order 1, where activations are not linear.
// Errors: InvalidArgument, NotFound (a file); with several things wrong, all of them, a line each.
absl::StatusOr<PreparedRun> PrepareRun(const KernelSpec& spec, const RunOptions& options);

}  // namespace gemmd
