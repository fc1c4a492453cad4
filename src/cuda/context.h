// Contexts: the primary one of a GPU, which is the only one that a process of gemmd has, and those of other programs.
#pragma once

#include <utility>

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

// A context that the program around us made. It has to live for as long as this is used.
class BorrowedContext {
 public:
  // That of the calling thread. Errors: FailedPrecondition (it has none).
  static absl::StatusOr<BorrowedContext> Current(const Driver& driver);

  // Gives the calling thread the context for as long as it lives, whatever the thread has before and after.
  class Scope {
   public:
    ~Scope();
    Scope(Scope&& other) noexcept : driver_(other.driver_), pushed_(std::exchange(other.pushed_, false)) {}
    Scope& operator=(Scope&&) = delete;

   private:
    friend class BorrowedContext;
    Scope(const Driver& driver, bool pushed) : driver_(driver), pushed_(pushed) {}
    Driver driver_;
    bool pushed_;
  };
  // Errors: Internal (the context is gone).
  absl::StatusOr<Scope> Enter() const;

  CUdevice device() const { return device_; }

 private:
  BorrowedContext(Driver driver, CUcontext context, CUdevice device)
      : driver_(std::move(driver)), context_(context), device_(device) {}

  Driver driver_;
  CUcontext context_;
  CUdevice device_;
};

}  // namespace gemmd
