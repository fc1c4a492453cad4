// What a kernel is looked up by in memory, before anything is planned: the question, where cubin_key is the answer's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plan/plan.h"
#include "spec/arch.h"
#include "spec/kernel_spec.h"
#include "tune/tuning_record.h"

namespace gemmd {

// All that planning depends on.
struct LookupQuestion {
  std::string_view spec_id;
  std::int64_t generation = 0;  // how often the spec's kernels were forgotten
  const DeviceLimits& limits;
  const Assumptions& assumptions;  // Completed: two spellings of one promise are two questions
  const ConfigPin& pin;
  const TunedDevice& device;
};

// SHA-256 over it.
std::string LookupKey(const LookupQuestion& question);

}  // namespace gemmd
