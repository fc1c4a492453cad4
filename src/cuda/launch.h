// One kernel launch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "cuda/driver.h"
#include "cuda/module.h"

namespace gemmd {

struct LaunchExtent {
  unsigned x = 1, y = 1, z = 1;
};

struct LaunchGeometry {
  LaunchExtent grid, block, cluster;  // cluster {1, 1, 1}: none
  std::int64_t shared_bytes = 0;      // dynamic
  bool cooperative = false;
  bool programmatic_dependent = false;  // may start before its predecessor in the stream has ended
};

// Enqueues the kernel, whose only parameter is a struct passed by value with the bytes of `params` (copied).
absl::Status LaunchKernel(const Driver& driver, const KernelFunction& kernel, const LaunchGeometry& geometry,
                          std::span<const std::byte> params, CUstream stream);

}  // namespace gemmd
