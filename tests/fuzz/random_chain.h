// Random chains and graphs of operations, each with values that a check can tell from wrong ones.
#pragma once

#include "absl/status/status.h"
#include "spec/operation.h"
#include "tests/fuzz/random_source.h"
#include "tests/fuzz/twin_problem.h"

namespace gemmd {

enum class DrawnFactor { kA, kB };

// Draws an epilogue of 1 to 16 operations from the whole operation table, with the operands that it takes; two in five
// go along rows. Requires the twin's A and B. Errors: TwinProblem's.
absl::Status DrawEpilogue(RandomSource& random, TwinProblem& twin);

// Draws up to 4 operations on A or B, after which the product's values are still of order 1. Requires the twin's A and
// B and no epilogue yet. Errors: TwinProblem's.
absl::Status DrawPrologue(DrawnFactor factor, RandomSource& random, TwinProblem& twin);

// The numbers of one operation, within what the table and the validator allow.
void DrawNumbers(RandomSource& random, Operation& operation);

}  // namespace gemmd
