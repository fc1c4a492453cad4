#include "cuda/context.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "base/status.h"
#include "cuda/status.h"

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

absl::StatusOr<BorrowedContext> BorrowedContext::Current(const Driver& driver) {
  CUcontext context = nullptr;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, CtxGetCurrent, &context);
  if (context == nullptr) {
    return absl::FailedPreconditionError("the calling thread has no CUDA context: make one current first");
  }
  CUdevice device = 0;
  GEMMD_CUDA_RETURN_IF_ERROR(driver, CtxGetDevice, &device);
  return BorrowedContext(driver, context, device);
}

absl::StatusOr<BorrowedContext::Scope> BorrowedContext::Enter() const {
  CUcontext current = nullptr;
  GEMMD_CUDA_RETURN_IF_ERROR(driver_, CtxGetCurrent, &current);
  if (current == context_) return Scope(driver_, false);
  GEMMD_CUDA_RETURN_IF_ERROR(driver_, CtxPushCurrent, context_);
  return Scope(driver_, true);
}

BorrowedContext::Scope::~Scope() {
  if (!pushed_) return;
  CUcontext popped = nullptr;
  const absl::Status status = ToStatus(driver_, driver_->CtxPopCurrent(&popped), "cuCtxPopCurrent");
  if (!status.ok()) spdlog::error("{}", MessageOf(status));
}

}  // namespace gemmd
