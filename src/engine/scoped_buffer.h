// Device memory for the length of one call.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/device.h"

namespace gemmd {

// Owns a buffer of a device, and shares the device. Freed on destruction, whatever became of the call's own deadline;
// a device that can't free it any more has lost it with its worker.
class ScopedBuffer {
 public:
  // At least one byte is allocated, so that an empty tensor has a place too. Errors: Device::Allocate's.
  static absl::StatusOr<ScopedBuffer> Allocate(std::shared_ptr<Device> device, std::int64_t bytes, absl::Time deadline);
  ~ScopedBuffer() { Reset(); }
  ScopedBuffer(ScopedBuffer&& other) noexcept = default;
  ScopedBuffer& operator=(ScopedBuffer&& other) noexcept;

  BufferId id() const { return id_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  ScopedBuffer(std::shared_ptr<Device> device, BufferId id, std::int64_t bytes)
      : device_(std::move(device)), id_(id), bytes_(bytes) {}
  void Reset();

  std::shared_ptr<Device> device_;  // null: moved from
  BufferId id_{};
  std::int64_t bytes_ = 0;
};

}  // namespace gemmd
