// Ownership of a driver handle, of whatever kind.
#pragma once

#include <spdlog/spdlog.h>

#include <utility>

#include "base/status.h"
#include "cuda/driver.h"
#include "cuda/status.h"

namespace gemmd {

// Traits: `using Handle`, `static constexpr Handle kNone`, `static CUresult Release(const Driver&, Handle)`, and
// `static constexpr const char* kReleaseCall` for the log. The handle's context must be current where it is destroyed.
template <typename Traits>
class UniqueHandle {
 public:
  using Handle = typename Traits::Handle;

  UniqueHandle(Driver driver, Handle handle) : driver_(std::move(driver)), handle_(handle) {}
  ~UniqueHandle() { Reset(); }
  UniqueHandle(UniqueHandle&& other) noexcept
      : driver_(other.driver_), handle_(std::exchange(other.handle_, Traits::kNone)) {}
  UniqueHandle& operator=(UniqueHandle&& other) noexcept {
    if (this != &other) {
      Reset();
      driver_ = other.driver_;
      handle_ = std::exchange(other.handle_, Traits::kNone);
    }
    return *this;
  }

  Handle get() const { return handle_; }
  const Driver& driver() const { return driver_; }

 private:
  void Reset() {
    if (handle_ == Traits::kNone) return;
    const CUresult result = Traits::Release(driver_, std::exchange(handle_, Traits::kNone));
    // Once its context is lost a handle can't be released, and the process is about to be replaced.
    if (result == CUDA_SUCCESS || IsContextFatal(result)) return;
    spdlog::error("{}", MessageOf(ToStatus(driver_, result, Traits::kReleaseCall)));
  }

  Driver driver_;
  Handle handle_;
};

}  // namespace gemmd
