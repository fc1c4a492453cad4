// A random spec with random data for one launch of it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "plan/plan.h"
#include "spec/arch.h"
#include "tests/gpu/device_run.h"

namespace gemmd {

struct DrawOptions {
  std::uint64_t seed = 1;
  std::int64_t max_extent = 2000;
  DeviceLimits limits;  // of what it will be compiled for
  std::vector<Family> families = {Family::kSimt, Family::kMma, Family::kWgmma, Family::kSkinny};  // to pin
};

struct RandomProblem {
  DeviceProblem problem;
  Assumptions assumptions;         // that its placements keep
  std::set<std::string> features;  // for counting what was covered: "in place", "leading dimension", "op div"
};

// The same problem for the same seed, index and options, on every machine. Its numbers are such that a check of any
// output can tell wrong ones. Errors: a bug of this generator, such as a spec that the validator refuses (the message
// has its JSON).
absl::StatusOr<RandomProblem> DrawProblem(const DrawOptions& options, std::int64_t index);

}  // namespace gemmd
