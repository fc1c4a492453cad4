#include "engine/scoped_buffer.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr absl::Duration kFreeTimeout = absl::Seconds(30);

}  // namespace

absl::StatusOr<ScopedBuffer> ScopedBuffer::Allocate(std::shared_ptr<Device> device, std::int64_t bytes,
                                                    absl::Time deadline) {
  const std::int64_t allocated = std::max<std::int64_t>(bytes, 1);
  GEMMD_ASSIGN_OR_RETURN(const BufferId id, device->Allocate(allocated, deadline));
  return ScopedBuffer(std::move(device), id, allocated);
}

ScopedBuffer& ScopedBuffer::operator=(ScopedBuffer&& other) noexcept {
  if (this != &other) {
    Reset();
    device_ = std::move(other.device_);
    id_ = other.id_;
    bytes_ = other.bytes_;
  }
  return *this;
}

void ScopedBuffer::Reset() {
  if (device_ == nullptr) return;
  device_->Free(id_, absl::Now() + kFreeTimeout).IgnoreError();
  device_.reset();
}

}  // namespace gemmd
