// Reading what ptxas -v wrote into a compiler's log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compile/compiler.h"

namespace gemmd {

// One element for each entry function, in the order of the log. Spills of functions that were not inlined count for the
// entry that they are listed under. A log without a report gives none.
std::vector<ResourceUsage> ParsePtxasReport(std::string_view log);

// The lines with ptxas' C75xx codes: wgmma serialised, setmaxnreg ignored; each costs 2 to 5 times the speed.
std::vector<std::string> PerformanceWarnings(std::string_view log);

}  // namespace gemmd
