#include "cuda/driver.h"

#include <dlfcn.h>

#include <utility>

#include "base/status.h"
#include "cuda/status.h"

namespace gemmd {
namespace {

using GetProcAddress = CUresult (*)(const char*, void**, int, cuuint64_t, CUdriverProcAddressQueryResult*);

template <typename Function>
absl::Status Resolve(GetProcAddress find, const char* symbol, int version, Function* entry) {
  void* address = nullptr;
  CUdriverProcAddressQueryResult found = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  // The legacy default stream: gemmd always names its streams, so the flag matters only for what it must not change.
  const CUresult result = find(symbol, &address, version, CU_GET_PROC_ADDRESS_LEGACY_STREAM, &found);
  if (result != CUDA_SUCCESS || found != CU_GET_PROC_ADDRESS_SUCCESS || address == nullptr) {
    return Unavailable("the CUDA driver lacks {} of CUDA {}.{}: it is too old", symbol, version / 1000,
                       version % 1000 / 10);
  }
  *entry = reinterpret_cast<Function>(address);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Driver> Driver::Create() { return Open("libcuda.so.1"); }

absl::StatusOr<Driver> Driver::Open(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return Unavailable("no CUDA driver: {}", reason != nullptr ? reason : "libcuda can't be opened");
  }
  auto find = reinterpret_cast<GetProcAddress>(dlsym(handle, "cuGetProcAddress_v2"));
  if (find == nullptr) {
    dlclose(handle);
    return Unavailable("{} has no cuGetProcAddress_v2: gemmd needs a driver of CUDA 12.0 or later", library);
  }
  auto table = std::make_shared<DriverTable>();
#define GEMMD_DRIVER_RESOLVE(name, version) GEMMD_RETURN_IF_ERROR(Resolve(find, "cu" #name, version, &table->name));
  GEMMD_DRIVER_ENTRIES(GEMMD_DRIVER_RESOLVE)
#undef GEMMD_DRIVER_RESOLVE
  Driver driver(std::move(table));
  if (const CUresult result = driver->Init(0); result != CUDA_SUCCESS) {
    return Unavailable("{}", MessageOf(ToStatus(driver, result, "cuInit")));
  }
  return driver;
}

}  // namespace gemmd
