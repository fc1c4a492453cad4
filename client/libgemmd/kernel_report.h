// What a compiled spec is made of, for people and benchmarks.
#pragma once

#include <string>

#include "engine/engine.h"
#include "spec/arch.h"

namespace gemmd {

// JSON: "spec_id", "plan_id", "arch", "summary", "cache_tier", "reasons", "variants" (by M, with indices of kernels)
// and "kernels", each with its config, its cubin's key and size, what ptxas said, how many of its CTAs one SM of a
// device with `limits` holds, and its source.
std::string KernelReport(const CompileOutcome& outcome, const DeviceLimits& limits);

}  // namespace gemmd
