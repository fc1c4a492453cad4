// The entries of libcuda that gemmd uses, found at run time: a machine without a driver runs everything but these.
#pragma once

#include <cuda.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace gemmd {

// (name without "cu", the CUDA version whose signature is meant). The types come from cuda.h; an entry whose signature
// changes in a later header needs the later version here.
#define GEMMD_DRIVER_ENTRIES(X)     \
  X(Init, 12000)                    \
  X(DriverGetVersion, 12000)        \
  X(GetErrorName, 12000)            \
  X(GetErrorString, 12000)          \
  X(DeviceGet, 12000)               \
  X(DeviceGetCount, 12000)          \
  X(DeviceGetName, 12000)           \
  X(DeviceGetAttribute, 12000)      \
  X(DeviceTotalMem, 12000)          \
  X(DevicePrimaryCtxRetain, 12000)  \
  X(DevicePrimaryCtxRelease, 12000) \
  X(CtxSetCurrent, 12000)           \
  X(CtxGetCurrent, 12000)           \
  X(CtxGetDevice, 12000)            \
  X(CtxPushCurrent, 12000)          \
  X(CtxPopCurrent, 12000)           \
  X(ModuleLoadData, 12000)          \
  X(ModuleUnload, 12000)            \
  X(ModuleGetFunction, 12000)       \
  X(FuncGetAttribute, 12000)        \
  X(FuncSetAttribute, 12000)        \
  X(LaunchKernelEx, 12000)          \
  X(StreamCreate, 12000)            \
  X(StreamDestroy, 12000)           \
  X(StreamSynchronize, 12000)       \
  X(EventCreate, 12000)             \
  X(EventDestroy, 12000)            \
  X(EventRecord, 12000)             \
  X(EventQuery, 12000)              \
  X(EventElapsedTime, 12000)        \
  X(MemAlloc, 12000)                \
  X(MemFree, 12000)                 \
  X(MemcpyHtoDAsync, 12000)         \
  X(MemcpyDtoHAsync, 12000)         \
  X(MemsetD8Async, 12000)           \
  X(MemHostRegister, 12000)         \
  X(MemHostUnregister, 12000)       \
  X(TensorMapEncodeTiled, 12000)

struct DriverTable {
#define GEMMD_DRIVER_MEMBER(name, version) decltype(&cu##name) name = nullptr;
  GEMMD_DRIVER_ENTRIES(GEMMD_DRIVER_MEMBER)
#undef GEMMD_DRIVER_MEMBER
};

// An initialised driver. A cheap value: copies share one table, and the library stays open to the end of the process
// (the driver has threads of its own). Thread-safe.
class Driver {
 public:
  // Opens libcuda.so.1 and calls cuInit. Errors: Unavailable (no driver, one older than CUDA 12.0, or no GPU; the
  // message says which).
  static absl::StatusOr<Driver> Create();
  // The same with another file in the place of libcuda.so.1.
  static absl::StatusOr<Driver> Open(const std::string& library);

  const DriverTable* operator->() const { return table_.get(); }

 private:
  explicit Driver(std::shared_ptr<const DriverTable> table) : table_(std::move(table)) {}
  std::shared_ptr<const DriverTable> table_;
};

}  // namespace gemmd
