// A host device's buffers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"

namespace gemmd {

// Zero-initialised anonymous memory, aligned to a page.
class HostMemory {
 public:
  // `bytes` may be 0. Errors: ResourceExhausted.
  static absl::StatusOr<HostMemory> Allocate(std::int64_t bytes);
  ~HostMemory();
  HostMemory(HostMemory&& other) noexcept;
  HostMemory& operator=(HostMemory&&) = delete;

  std::byte* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  HostMemory(std::byte* data, std::int64_t bytes) : data_(data), bytes_(bytes) {}
  std::byte* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

// OK if [offset, offset + size) lies in a buffer of `bytes`. Errors: OutOfRange.
absl::Status CheckRange(std::int64_t offset_bytes, std::size_t size_bytes, std::int64_t buffer_bytes);

}  // namespace gemmd
