// Extents of a random problem, and how its spec writes them.
#pragma once

#include <cstdint>

#include "spec/kernel_spec.h"
#include "tests/fuzz/random_source.h"
#include "tests/gpu/device_run.h"

namespace gemmd {

// The extents of a product, and the entries by which shapes name them.
struct DrawnShape {
  GemmShape extents;
  ShapeEntry m, n, k, half_n;  // half_n: N / 2, its number
};

struct ShapeOptions {
  std::int64_t max_extent = 2000;
  bool aligned = false;  // every extent a multiple of 8, every dim but M literal, as the copy engine wants them
};

// Draws M, N and K from 0 to max_extent, with extents of 0, 1, multiples of tiles and one off those much more often
// than chance has them; writes named dims, literal and dynamic ones, into the problem.
DrawnShape DrawShape(const ShapeOptions& options, RandomSource& random, DeviceProblem& problem);

}  // namespace gemmd
