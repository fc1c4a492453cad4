// What the driver says of the GPUs it sees.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cuda/driver.h"
#include "spec/arch.h"

namespace gemmd {

struct GpuProperties {
  std::string name;     // "NVIDIA H200"
  std::string version;  // "580.159.03 (CUDA 13.0)", or "CUDA 13.0" where the kernel module does not tell
  DeviceLimits limits;  // arch with the 'a' suffix from sm_90 on
  std::int64_t memory_bytes = 0;
};

absl::StatusOr<int> CountGpus(const Driver& driver);

absl::StatusOr<DeviceLimits> QueryLimits(const Driver& driver, CUdevice device);

// Errors: NotFound (no GPU of that ordinal).
absl::StatusOr<GpuProperties> QueryGpu(const Driver& driver, int ordinal);

}  // namespace gemmd
