// The worker's end: answers calls with a device.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/device.h"

namespace gemmd {

// Thread-safe.
class DeviceServer {
 public:
  // `device` is what to serve, or why there is none (every call then answers that). `staging` is the region that copies
  // go through. `lost` tells whether the device can serve no more.
  DeviceServer(absl::StatusOr<Device*> device, std::span<std::byte> staging, std::function<bool()> lost);

  // A serialised WorkerRequest to a serialised WorkerResponse.
  std::string Answer(const std::string& request) const;

 private:
  const absl::StatusOr<Device*> device_;
  const std::span<std::byte> staging_;
  const std::function<bool()> lost_;
};

}  // namespace gemmd
