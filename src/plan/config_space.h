// Every legal config of a family: what the ranking and the tuner choose from.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace gemmd {

// In a fixed order. Empty where the family does not compute the graph on the device.
std::vector<KernelConfig> LegalConfigs(Family family, const Graph& graph, const DeviceLimits& limits,
                                       const Assumptions& assumptions = {});

// Legal on every arch and for every graph that gemmd plans.
KernelConfig PortableConfig(const Graph& graph);

}  // namespace gemmd
