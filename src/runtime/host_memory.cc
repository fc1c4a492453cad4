#include "runtime/host_memory.h"

#include <sys/mman.h>

#include <utility>

#include "base/status.h"

namespace gemmd {

absl::StatusOr<HostMemory> HostMemory::Allocate(std::int64_t bytes) {
  if (bytes < 0) return InvalidArgument("a buffer of {} bytes", bytes);
  if (bytes == 0) return HostMemory(nullptr, 0);
  void* address =
      mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return ResourceExhausted("no host memory for a buffer of {} bytes", bytes);
  return HostMemory(static_cast<std::byte*>(address), bytes);
}

HostMemory::~HostMemory() {
  if (data_ != nullptr) munmap(data_, static_cast<std::size_t>(bytes_));
}

HostMemory::HostMemory(HostMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

absl::Status CheckRange(std::int64_t offset_bytes, std::size_t size_bytes, std::int64_t buffer_bytes) {
  const bool inside = offset_bytes >= 0 && offset_bytes <= buffer_bytes &&
                      size_bytes <= static_cast<std::size_t>(buffer_bytes - offset_bytes);
  if (inside) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kOutOfRange, "{} bytes from offset {} do not fit a buffer of {} bytes",
                    size_bytes, offset_bytes, buffer_bytes);
}

}  // namespace gemmd
