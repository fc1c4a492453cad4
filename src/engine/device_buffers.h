// Device memory that clients own: made, written, read and freed by opaque handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/scoped_buffer.h"
#include "runtime/device.h"

namespace gemmd {

// A buffer in use. It is freed when it was dropped from the table and its last user is done.
struct ClientBuffer {
  std::shared_ptr<Device> device;
  ScopedBuffer memory;
};

struct BufferTotals {
  std::int64_t buffers = 0, bytes = 0;
};

// Thread-safe.
class DeviceBuffers {
 public:
  // The handle has 128 random bits, in hex: whoever was not given it does not guess it. The memory is zero.
  // Errors: InvalidArgument (bytes < 1), Device::Allocate's.
  absl::StatusOr<std::string> Create(const std::shared_ptr<Device>& device, std::int64_t bytes, absl::Time deadline);
  // Errors: NotFound; DataLoss (its device's worker is gone, and the contents with it; says why).
  absl::StatusOr<std::shared_ptr<const ClientBuffer>> Find(std::string_view handle) const;
  // Also one that was lost. Errors: NotFound.
  absl::Status Free(std::string_view handle);
  // Lets go of what lies on devices that were lost; only why they were is kept until those buffers are freed.
  void DropLost();
  // Of each device that has any, by its id. Lost ones don't count.
  std::map<std::string, BufferTotals> Totals() const;
  // Since the beginning.
  std::int64_t lost() const;

 private:
  struct Entry {
    std::shared_ptr<const ClientBuffer> buffer;  // null: it was lost
    absl::Status loss = absl::OkStatus();
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> buffers_;
  std::int64_t lost_ = 0;
};

}  // namespace gemmd
