// A GPU architecture, and what kernels may use of a device. Device limits are data: a new GPU is a new value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gemmd {

// A compilation target such as sm_90a: compute capability and the optional arch-specific suffix.
struct Arch {
  int major = 0;
  int minor = 0;
  bool specific = false;  // the 'a' suffix: instructions of this arch alone (wgmma)

  friend bool operator==(const Arch&, const Arch&) = default;
  int capability() const { return major * 10 + minor; }
};

std::string Name(const Arch& arch);                       // "sm_90a"
std::optional<Arch> ArchFromName(std::string_view name);  // accepts "sm_80" … "sm_120a"

// What the planner needs to know of a device; from the driver, or from the table for a named arch.
struct DeviceLimits {
  Arch arch;
  int sm_count = 0;
  std::int64_t shared_bytes_per_block = 0;  // opt-in maximum
  std::int64_t shared_bytes_per_sm = 0;
  std::int64_t registers_per_sm = 65536;
  std::int64_t l2_bytes = 0;
};

// The published limits of the largest common device of the arch (CUDA C++ Programming Guide, technical
// specifications per compute capability). Nothing for an arch gemmd does not know.
std::optional<DeviceLimits> LimitsOf(const Arch& arch);

}  // namespace gemmd
