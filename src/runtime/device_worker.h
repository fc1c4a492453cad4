// The program of a device worker: one device in a process of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "cuda/memory.h"
#include "runtime/device.h"

namespace gemmd {

// A device with what belongs to it, destroyed in the reverse order.
struct ServedDevice {
  std::unique_ptr<Device> device;
  std::function<bool()> lost = [] { return false; };  // whether the device can serve no more
  std::optional<PinnedRegistration> pinned;
};

// Puts something around the device before it serves.
using DeviceWrapper = std::function<void(ServedDevice& served)>;

// What main() is for. Descriptor 3 is the channel to the daemon, 4 the staging memory; it ends with the channel, or
// with its parent. Returns the exit code.
int DeviceWorkerMain(int argc, char** argv, const DeviceWrapper& wrap = nullptr);

}  // namespace gemmd
