// The primary context of a GPU: the only one a process of gemmd has.
#pragma once

#include "absl/status/statusor.h"
#include "cuda/driver.h"
#include "cuda/unique_handle.h"

namespace gemmd {

struct PrimaryContextTraits {
  using Handle = CUdevice;  // retained and released by device
  static constexpr Handle kNone = -1;
  static constexpr const char* kReleaseCall = "cuDevicePrimaryCtxRelease";
  static CUresult Release(const Driver& driver, Handle device) { return driver->DevicePrimaryCtxRelease(device); }
};

class PrimaryContext {
 public:
  // Errors: NotFound (no GPU of that ordinal), ResourceExhausted, Internal.
  static absl::StatusOr<PrimaryContext> Retain(const Driver& driver, int ordinal);

  // Binds the calling thread to the context; every other call of the driver needs it. Cheap when it already is.
  absl::Status MakeCurrent() const;

 private:
  PrimaryContext(UniqueHandle<PrimaryContextTraits> device, CUcontext context)
      : device_(std::move(device)), context_(context) {}

  UniqueHandle<PrimaryContextTraits> device_;
  CUcontext context_;  // a view: lives as long as device_ is retained
};

}  // namespace gemmd
