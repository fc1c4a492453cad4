// The configs one step from another: what a search tries around the best one it knows.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/plan.h"

namespace gemmd {

// Whether the config, its row schedule included, may compute the graph: what a config from elsewhere has to pass.
// Errors: CheckConfig's; InvalidArgument (a row schedule for a graph without row reductions, or none for one with).
absl::Status CheckWholeConfig(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits,
                              const Assumptions& assumptions);

// Legal configs of the same family, packing and row schedule that differ in one of: tile along M or N, K block, stages,
// columns a lane takes, division of K, group of tile rows; the promising ones by the cost model first, at most `limit`.
// `m`: of the launch. Requires that CheckWholeConfig is OK.
std::vector<KernelConfig> Neighbours(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits,
                                     const Assumptions& assumptions, std::int64_t m, std::size_t limit);

// Legal configs of every family and row schedule, with every division of K: what a search can choose from, not what the
// ranking leaves of it. The families take turns, each with its best by the cost model first; at most `limit`.
std::vector<KernelConfig> EveryConfig(const Graph& graph, const DeviceLimits& limits, const Assumptions& assumptions,
                                      std::int64_t m, std::size_t limit);

}  // namespace gemmd
