// Work split over threads.
#pragma once

#include <cstdint>
#include <functional>

namespace gemmd {

// Calls body(i) once for each i in [0, count), in any order, on up to `threads` threads (0: one a processor).
// Returns when all are done.
void ParallelFor(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body);

}  // namespace gemmd
