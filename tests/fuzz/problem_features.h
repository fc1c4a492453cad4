// What a problem exercises, in words that can be counted.
#pragma once

#include <set>
#include <string>

#include "plan/graph.h"
#include "tests/gpu/device_run.h"

namespace gemmd {

// "op gelu tanh", "operand row f16", "a column_major", "M dynamic", "K = 0", "leading dimension", "unaligned",
// "in place", "prologue a", "graph", "several outputs", "pinned tile", …
std::set<std::string> FeaturesOf(const DeviceProblem& problem, const CanonicalSpec& canonical);

// Every feature "op …" that there is.
std::set<std::string> OperationFeatures();

}  // namespace gemmd
