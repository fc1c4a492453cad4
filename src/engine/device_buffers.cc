#include "engine/device_buffers.h"

#include <utility>

#include "base/random_id.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::size_t kHandleBytes = 16;

absl::Status NoSuchBuffer() { return NotFound("buffer: no buffer has this handle"); }

}  // namespace

absl::StatusOr<std::string> DeviceBuffers::Create(const std::shared_ptr<Device>& device, std::int64_t bytes,
                                                  absl::Time deadline) {
  if (bytes < 1) return InvalidArgument("bytes: {}, expected at least 1", bytes);
  GEMMD_ASSIGN_OR_RETURN(std::string handle, RandomHex(kHandleBytes));
  GEMMD_ASSIGN_OR_RETURN(ScopedBuffer memory, ScopedBuffer::Allocate(device, bytes, deadline));
  auto buffer = std::make_shared<const ClientBuffer>(ClientBuffer{.device = device, .memory = std::move(memory)});
  const std::lock_guard lock(mutex_);
  buffers_.emplace(handle, std::move(buffer));
  return handle;
}

absl::StatusOr<std::shared_ptr<const ClientBuffer>> DeviceBuffers::Find(std::string_view handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = buffers_.find(std::string(handle));
  if (found == buffers_.end()) return NoSuchBuffer();
  return found->second;
}

absl::Status DeviceBuffers::Free(std::string_view handle) {
  std::shared_ptr<const ClientBuffer> freed;  // its memory goes after the lock is given back
  const std::lock_guard lock(mutex_);
  const auto found = buffers_.find(std::string(handle));
  if (found == buffers_.end()) return NoSuchBuffer();
  freed = std::move(found->second);
  buffers_.erase(found);
  return absl::OkStatus();
}

std::map<std::string, BufferTotals> DeviceBuffers::Totals() const {
  std::map<std::string, BufferTotals> totals;
  const std::lock_guard lock(mutex_);
  for (const auto& [handle, buffer] : buffers_) {
    BufferTotals& total = totals[buffer->device->info().id];
    ++total.buffers;
    total.bytes += buffer->memory.bytes();
  }
  return totals;
}

}  // namespace gemmd
