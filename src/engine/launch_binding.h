// A launch's tensors from the user's names to graph indices, checked before a device sees them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "engine/launch_signature.h"
#include "plan/manifest.h"
#include "plan/plan.h"
#include "runtime/device.h"

namespace gemmd {

// A tensor as the caller places it.
struct TensorArgument {
  TensorBinding binding;
  std::int64_t buffer_bytes = 0;  // of the whole buffer, which is aligned to 256 bytes
};

using TensorArguments = std::map<std::string, TensorArgument>;  // by the user's name; no scalars

// The request without its kernel. Errors: InvalidArgument naming the tensor (missing, unknown, negative or misaligned
// offset).
absl::StatusOr<LaunchRequest> BindLaunch(const LaunchSignature& signature, const TensorArguments& arguments);

// The strongest promises that the arguments keep. Requires what BindLaunch checks.
Assumptions AssumptionsOf(const LaunchSignature& signature, const TensorArguments& arguments);

// What every device checks (PlanLaunch), with the user's names in the message. Errors: PlanLaunch's.
absl::Status CheckLaunch(const Manifest& manifest, const CanonicalSpec& canonical, const LaunchRequest& request,
                         const TensorArguments& arguments);

// The manifest with the names of one spec.
Manifest WithNames(Manifest manifest, const Bindings& bindings);

}  // namespace gemmd
