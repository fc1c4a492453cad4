#include "cuda/device_query.h"

#include <array>
#include <fstream>

#include "base/status.h"
#include "cuda/status.h"

namespace gemmd {
namespace {

absl::StatusOr<int> Attribute(const Driver& driver, CUdevice device, CUdevice_attribute attribute) {
  int value = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, DeviceGetAttribute, &value, attribute, device);
  return value;
}

absl::StatusOr<std::string> Version(const Driver& driver) {
  int version = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, DriverGetVersion, &version);
  const std::string cuda = fmt::format("CUDA {}.{}", version / 1000, version % 1000 / 10);
  std::ifstream file("/sys/module/nvidia/version");
  std::string release;
  if (!(file >> release)) return cuda;
  return fmt::format("{} ({})", release, cuda);
}

}  // namespace

absl::StatusOr<DeviceLimits> QueryLimits(const Driver& driver, CUdevice device) {
  DeviceLimits limits;
  GEMMD_ASSIGN_OR_RETURN(limits.arch.major, Attribute(driver, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR));
  GEMMD_ASSIGN_OR_RETURN(limits.arch.minor, Attribute(driver, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
  limits.arch.specific = limits.arch.major >= 9;
  GEMMD_ASSIGN_OR_RETURN(limits.sm_count, Attribute(driver, device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
  GEMMD_ASSIGN_OR_RETURN(limits.shared_bytes_per_block,
                         Attribute(driver, device, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
  GEMMD_ASSIGN_OR_RETURN(limits.shared_bytes_per_sm,
                         Attribute(driver, device, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR));
  GEMMD_ASSIGN_OR_RETURN(limits.registers_per_sm,
                         Attribute(driver, device, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR));
  GEMMD_ASSIGN_OR_RETURN(limits.l2_bytes, Attribute(driver, device, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE));
  return limits;
}

absl::StatusOr<int> CountGpus(const Driver& driver) {
  int count = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, DeviceGetCount, &count);
  return count;
}

absl::StatusOr<GpuProperties> QueryGpu(const Driver& driver, int ordinal) {
  CUdevice device = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, DeviceGet, &device, ordinal);
  GpuProperties properties;
  std::array<char, 256> name{};
  GEMMD_CUDA_RETURN_IF_ERROR(driver, DeviceGetName, name.data(), static_cast<int>(name.size() - 1), device);
  properties.name = name.data();
  GEMMD_ASSIGN_OR_RETURN(properties.version, Version(driver));
  GEMMD_ASSIGN_OR_RETURN(properties.limits, QueryLimits(driver, device));
  std::size_t bytes = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, DeviceTotalMem, &bytes, device);
  properties.memory_bytes = static_cast<std::int64_t>(bytes);
  return properties;
}

}  // namespace gemmd
