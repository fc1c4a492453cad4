// What the driver answers, as absl::Status.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "base/status.h"
#include "cuda/driver.h"

namespace gemmd {

// OK, or a status that names the call, the error and its text. Out of memory is ResourceExhausted, a missing device
// NotFound, an image for another arch InvalidArgument, everything else Internal.
absl::Status ToStatus(const Driver& driver, CUresult result, std::string_view call);

// Whether the error ruins its context, and with it the process (cuda.h: "terminate and relaunch").
bool IsContextFatal(CUresult result);
// The same of a status that ToStatus made.
bool IsContextFatal(const absl::Status& status);

}  // namespace gemmd

// Calls an entry of the driver and returns its error, named, from the enclosing function.
#define GEMMD_CUDA_RETURN_IF_ERROR(driver, name, ...) \
  GEMMD_RETURN_IF_ERROR(::gemmd::ToStatus(driver, (driver)->name(__VA_ARGS__), "cu" #name))
