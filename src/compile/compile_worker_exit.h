// How a compile worker's end is read by its parent.
#pragma once

namespace gemmd {

// The exit code of a worker whose allocation failed under its memory limit.
inline constexpr int kOutOfMemoryExit = 77;

}  // namespace gemmd
