#include "cuda/memory.h"

namespace gemmd {

absl::StatusOr<DeviceMemory> AllocateDeviceMemory(const Driver& driver, std::int64_t bytes) {
  CUdeviceptr address = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, MemAlloc, &address, static_cast<std::size_t>(bytes));
  return DeviceMemory(driver, address);
}

absl::StatusOr<PinnedRegistration> PinHostMemory(const Driver& driver, std::span<std::byte> memory) {
  GEMMD_CUDA_RETURN_IF_ERROR(driver, MemHostRegister, memory.data(), memory.size(), CU_MEMHOSTREGISTER_PORTABLE);
  return PinnedRegistration(driver, memory.data());
}

absl::Status CopyToDevice(const Stream& stream, CUdeviceptr target, std::span<const std::byte> source) {
  GEMMD_CUDA_RETURN_IF_ERROR(stream.driver(), MemcpyHtoDAsync, target, source.data(), source.size(), stream.get());
  return absl::OkStatus();
}

absl::Status CopyToHost(const Stream& stream, std::span<std::byte> target, CUdeviceptr source) {
  GEMMD_CUDA_RETURN_IF_ERROR(stream.driver(), MemcpyDtoHAsync, target.data(), source, target.size(), stream.get());
  return absl::OkStatus();
}

absl::Status FillWithZeros(const Stream& stream, CUdeviceptr target, std::int64_t bytes) {
  GEMMD_CUDA_RETURN_IF_ERROR(stream.driver(), MemsetD8Async, target, 0, static_cast<std::size_t>(bytes), stream.get());
  return absl::OkStatus();
}

}  // namespace gemmd
