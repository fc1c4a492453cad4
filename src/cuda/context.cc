#include "cuda/context.h"

#include <utility>

namespace gemmd {

absl::StatusOr<PrimaryContext> PrimaryContext::Retain(const Driver& driver, int ordinal) {
  CUdevice device = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, DeviceGet, &device, ordinal);
  CUcontext context = nullptr;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, DevicePrimaryCtxRetain, &context, device);
  return PrimaryContext(UniqueHandle<PrimaryContextTraits>(driver, device), context);
}

absl::Status PrimaryContext::MakeCurrent() const {
  return ToStatus(device_.driver(), device_.driver()->CtxSetCurrent(context_), "cuCtxSetCurrent");
}

}  // namespace gemmd
