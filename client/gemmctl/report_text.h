// The daemon's answers for people: short, aligned.
#pragma once

#include <string>

#include "client/reports.h"
#include "client/verify/verify.h"
#include "spec/kernel_spec.h"

namespace gemmd {

std::string TextOf(const PlanReport& report);
std::string TextOf(const CompileReport& report);
std::string TextOf(const DevicesReport& report);
// `devices` tells what the device that ran it is.
std::string TextOf(const RunReport& report, const GemmShape& shape, const DevicesReport& devices);
// The verdict in one line.
std::string TextOf(const VerifyReport& report);

// The M of a variant: "M 17 to 64"; nothing where it is for every M.
std::string RangeText(const VariantShape& variant);

// Rate of a product on a device; 0 when the time is too short to tell.
double GflopPerSecond(const GemmShape& shape, std::int64_t launch_us);

}  // namespace gemmd
