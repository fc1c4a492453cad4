// Memory that the CTAs of one launch share.
#pragma once

namespace gemmd {

// What is where in it, its users say. Null where the launch has none.
struct Workspace {
  unsigned* counters = nullptr;  // zero when the launch starts
  float* parts = nullptr;
};

}  // namespace gemmd
