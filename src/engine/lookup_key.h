// What a kernel is looked up by in memory, before anything is planned: the question, where cubin_key is the answer's.
#pragma once

#include <string>
#include <string_view>

#include "plan/plan.h"
#include "spec/arch.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// SHA-256 over all that planning depends on. Two spellings of one promise are two questions: it wants Completed ones.
std::string LookupKey(std::string_view spec_id, const DeviceLimits& limits, const Assumptions& assumptions,
                      const ConfigPin& pin);

}  // namespace gemmd
