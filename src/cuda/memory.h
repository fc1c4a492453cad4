// Device memory, pinned host memory, and copies between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "cuda/driver.h"
#include "cuda/stream.h"
#include "cuda/unique_handle.h"

namespace gemmd {

struct DeviceMemoryTraits {
  using Handle = CUdeviceptr;
  static constexpr Handle kNone = 0;
  static constexpr const char* kReleaseCall = "cuMemFree";
  static CUresult Release(const Driver& driver, Handle address) { return driver->MemFree(address); }
};

struct PinnedTraits {
  using Handle = void*;
  static constexpr Handle kNone = nullptr;
  static constexpr const char* kReleaseCall = "cuMemHostUnregister";
  static CUresult Release(const Driver& driver, Handle address) { return driver->MemHostUnregister(address); }
};

using DeviceMemory = UniqueHandle<DeviceMemoryTraits>;
// Host memory of somebody else, pinned while this lives: copies to and from it run at full speed and asynchronously.
using PinnedRegistration = UniqueHandle<PinnedTraits>;

// Aligned to 256 bytes, contents undefined; `bytes` > 0. Errors: ResourceExhausted.
absl::StatusOr<DeviceMemory> AllocateDeviceMemory(const Driver& driver, std::int64_t bytes);
absl::StatusOr<PinnedRegistration> PinHostMemory(const Driver& driver, std::span<std::byte> memory);

// These enqueue; both ends must stay valid until the stream has passed them.
absl::Status CopyToDevice(const Stream& stream, CUdeviceptr target, std::span<const std::byte> source);
absl::Status CopyToHost(const Stream& stream, std::span<std::byte> target, CUdeviceptr source);
absl::Status FillWithZeros(const Stream& stream, CUdeviceptr target, std::int64_t bytes);

}  // namespace gemmd
