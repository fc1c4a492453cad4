// Random chains and graphs of operations, each with values that a check can tell from wrong ones.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "spec/operation.h"
#include "tests/fuzz/random_shape.h"
#include "tests/fuzz/random_source.h"
#include "tests/fuzz/value_probe.h"
#include "tests/gpu/device_run.h"

namespace gemmd {

// Draws an epilogue of 1 to 16 operations from the whole operation table into the problem, with the operands that it
// takes: their data is drawn by `seed`. Requires the problem's A and B. Errors: ValueProbe's, RandomInput's.
absl::Status DrawEpilogue(const ShapeEntries& entries, std::uint64_t seed, RandomSource& random,
                          DeviceProblem& problem);

// The numbers of one operation, within what the table and the validator allow.
void DrawNumbers(RandomSource& random, Operation& operation);

}  // namespace gemmd
