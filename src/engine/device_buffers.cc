#include "engine/device_buffers.h"

#include <utility>
#include <vector>

#include "base/random_id.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::size_t kHandleBytes = 16;

absl::Status NoSuchBuffer() { return NotFound("buffer: no buffer has this handle"); }

// Of a buffer whose device is what `health` says.
absl::Status Lost(const absl::Status& health) { return DataLoss("buffer: lost; make it anew: {}", MessageOf(health)); }

}  // namespace

absl::StatusOr<std::string> DeviceBuffers::Create(const std::shared_ptr<Device>& device, std::int64_t bytes,
                                                  absl::Time deadline) {
  if (bytes < 1) return InvalidArgument("bytes: {}, expected at least 1", bytes);
  GEMMD_ASSIGN_OR_RETURN(std::string handle, RandomHex(kHandleBytes));
  GEMMD_ASSIGN_OR_RETURN(ScopedBuffer memory, ScopedBuffer::Allocate(device, bytes, deadline));
  auto buffer = std::make_shared<const ClientBuffer>(ClientBuffer{.device = device, .memory = std::move(memory)});
  const std::lock_guard lock(mutex_);
  buffers_.emplace(handle, Entry{.buffer = std::move(buffer)});
  return handle;
}

absl::StatusOr<std::shared_ptr<const ClientBuffer>> DeviceBuffers::Find(std::string_view handle) const {
  std::shared_ptr<const ClientBuffer> buffer;
  {
    const std::lock_guard lock(mutex_);
    const auto found = buffers_.find(std::string(handle));
    if (found == buffers_.end()) return NoSuchBuffer();
    if (found->second.buffer == nullptr) return found->second.loss;
    buffer = found->second.buffer;
  }
  if (const absl::Status health = buffer->device->Health(); !health.ok()) return Lost(health);
  return buffer;
}

void DeviceBuffers::DropLost() {
  std::vector<std::shared_ptr<const ClientBuffer>> dropped;  // let go of after the lock is given back
  const std::lock_guard lock(mutex_);
  for (auto& [handle, entry] : buffers_) {
    if (entry.buffer == nullptr) continue;
    const absl::Status health = entry.buffer->device->Health();
    if (health.ok()) continue;
    entry.loss = Lost(health);
    dropped.push_back(std::exchange(entry.buffer, nullptr));
    ++lost_;
  }
}

std::int64_t DeviceBuffers::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

absl::Status DeviceBuffers::Free(std::string_view handle) {
  std::shared_ptr<const ClientBuffer> freed;  // its memory goes after the lock is given back
  const std::lock_guard lock(mutex_);
  const auto found = buffers_.find(std::string(handle));
  if (found == buffers_.end()) return NoSuchBuffer();
  freed = std::move(found->second.buffer);
  buffers_.erase(found);
  return absl::OkStatus();
}

std::map<std::string, BufferTotals> DeviceBuffers::Totals() const {
  std::map<std::string, BufferTotals> totals;
  const std::lock_guard lock(mutex_);
  for (const auto& [handle, entry] : buffers_) {
    if (entry.buffer == nullptr) continue;
    BufferTotals& total = totals[entry.buffer->device->info().id];
    ++total.buffers;
    total.bytes += entry.buffer->memory.bytes();
  }
  return totals;
}

}  // namespace gemmd
