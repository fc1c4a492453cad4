// Random specs, each compiled, run on a device and verified; or only compiled.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compile/compiler.h"
#include "runtime/device.h"
#include "tests/fuzz/random_problem.h"

namespace gemmd {

struct ProofOptions {
  DrawOptions draw;
  std::int64_t first = 0, count = 1000;  // indices of the problems
  int jobs = 0;                          // problems at a time; 0: one a processor
};

struct FailedSpec {
  std::int64_t index = 0;
  std::string reason;
  std::string spec;  // its JSON, where one was drawn
};

struct ProofReport {
  std::int64_t specs = 0, verified = 0;
  std::vector<FailedSpec> failed;                // by index
  std::map<std::string, std::int64_t> families;  // of what was run
  std::map<std::string, std::int64_t> dtypes;    // of A and B
  std::map<std::string, std::int64_t> features;  // FeaturesOf, by how many specs have it
  std::vector<std::string> passed_over;          // candidates that did not build cleanly and were not served
};

// Draws, plans, compiles (with `compiler`; the host device needs none: null), runs and verifies every problem. One that
// can't be drawn, is refused, differs from the reference or writes where it should not is a failed one.
ProofReport ProveOnDevice(const ProofOptions& options, Device& device, const Compiler* compiler);

// Draws, plans and compiles every problem for options.draw.limits. One that NVRTC refuses, or of whose candidates each
// spills or has a C75xx warning, is a failed one.
ProofReport ProveCompiles(const ProofOptions& options, const Compiler& compiler);

}  // namespace gemmd
