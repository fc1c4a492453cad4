// Cubins in a context, and the kernels in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cuda/driver.h"
#include "cuda/unique_handle.h"

namespace gemmd {

struct ModuleTraits {
  using Handle = CUmodule;
  static constexpr Handle kNone = nullptr;
  static constexpr const char* kReleaseCall = "cuModuleUnload";
  static CUresult Release(const Driver& driver, Handle module) { return driver->ModuleUnload(module); }
};

// A kernel of a loaded module: a view, valid as long as its module.
struct KernelFunction {
  CUfunction function = nullptr;
};

class Module {
 public:
  // `cubin` is copied. Errors: InvalidArgument (an image for another arch, or no cubin), ResourceExhausted, Internal.
  static absl::StatusOr<Module> Load(const Driver& driver, std::string_view cubin);

  // Makes the kernel resident now (loading is lazy otherwise, and may wait for running kernels at the first launch)
  // and allows it `shared_bytes` of dynamic shared memory. Errors: NotFound (no such entry), Internal.
  absl::StatusOr<KernelFunction> Function(const std::string& entry, std::int64_t shared_bytes) const;

 private:
  explicit Module(UniqueHandle<ModuleTraits> module) : module_(std::move(module)) {}
  UniqueHandle<ModuleTraits> module_;
};

}  // namespace gemmd
