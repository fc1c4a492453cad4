// Ranges of a dynamic M, each with the configs that are good for it.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "plan/plan.h"

namespace gemmd {

inline constexpr int kMaxVariants = 6;  // of a plan

struct RangeConfigs {
  MRange m;
  std::vector<KernelConfig> configs;  // as RankConfigs has them, for an M in the range
};

// At most kMaxVariants ranges by ascending M, without gaps, neighbours with different first configs; one, over every M,
// where M is literal. Where M is dynamic the ranges are those that cost the least by the model, a little for each range
// included, so that one config serves where another would hardly be faster. Errors: RankConfigs'.
absl::StatusOr<std::vector<RangeConfigs>> RankRanges(const Graph& graph, const DeviceLimits& limits,
                                                     const ConfigPin& pin, const Assumptions& assumptions = {});

}  // namespace gemmd
