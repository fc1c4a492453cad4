// A launch on buffers that clients own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/device_buffers.h"
#include "engine/kernel_service.h"

namespace gemmd {

struct BufferArgument {
  std::string handle;
  std::int64_t offset_bytes = 0;
  std::int64_t leading_dimension = 0;  // elements; 0: contiguous
};

struct BufferLaunch {
  KernelSpec spec;
  std::string device;  // empty: where the buffers are
  DimValues dims;
  ScalarValues scalars;
  std::map<std::string, BufferArgument> tensors;  // inputs and outputs, no scalars
  std::string client = {};                        // whose turn it takes where launches wait
};

struct BufferLaunchOutcome {
  LaunchOutcome launch;
  std::string device;
};

// Holds the buffers until the launch is over, also when they are freed meanwhile.
// Errors: InvalidArgument (a buffer of another device, and what BindLaunch and CheckLaunch find), NotFound (no such
// buffer; each names the tensor), KernelService's.
absl::StatusOr<BufferLaunchOutcome> LaunchOnBuffers(KernelService& kernels, const DeviceBuffers& buffers,
                                                    const BufferLaunch& request, absl::Time deadline);

}  // namespace gemmd
