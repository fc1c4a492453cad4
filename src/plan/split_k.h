// K divided between CTAs, where the tiles of a result are too few to fill the device
// (kernels_src/schedule/split_k.cuh).
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "plan/graph.h"
#include "plan/manifest.h"
#include "plan/plan.h"

namespace gemmd {

// Of the shared memory where a CTA leaves its sums of a tile, in bytes.
std::int64_t SumsTileBytes(const KernelConfig& config);
// The same, and 0 where it has the whole of K.
std::int64_t SplitSharedBytes(const KernelConfig& config);

// OK if the config may divide K so. Errors: InvalidArgument naming the field.
absl::Status CheckSplit(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits);

// What the clusters of a tile leave each other; nothing where a tile has one.
Workspace SplitWorkspace(const Graph& graph, const KernelConfig& config);

// Visits an undivided config and what it becomes by dividing K as often as the device has room for more CTAs: all
// legal, if the config is. What the pin says of it is done in any case.
void VisitSplits(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits, const ConfigPin& pin,
                 absl::FunctionRef<void(const KernelConfig&)> visit);

}  // namespace gemmd
