// Whether this is a build of the presets asan or tsan, in which everything takes many times longer.
#pragma once

namespace gemmd {

#ifdef GEMMD_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace gemmd
