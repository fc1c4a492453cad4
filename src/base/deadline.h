// Waiting on a condition variable until an absl::Time.
#pragma once

#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

namespace gemmd {

// False when the deadline passed with `condition` still false.
template <typename Condition>
bool WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, absl::Time deadline,
               Condition condition) {
  if (deadline == absl::InfiniteFuture()) {
    changed.wait(lock, condition);
    return true;
  }
  return changed.wait_until(lock, absl::ToChronoTime(deadline), condition);
}

}  // namespace gemmd
