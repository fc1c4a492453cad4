// The report of a proof as it is kept.
#pragma once

#include <string>

#include "runtime/device.h"
#include "tests/fuzz/spec_proof.h"

namespace gemmd {

// What the report is of.
struct ProofRun {
  std::string mode;    // "run", "compile"
  std::string device;  // the GPU, the CPU, or the arch that was compiled for
  std::string driver, compiler;
  std::string commit, command;
  double seconds = 0;
};

// {"specs": 1000, "verified": 999, "failed": [{"index": 17, "reason": …, "spec": {…}}], "seed": …, …}
std::string ProofToJson(const ProofOptions& options, const ProofRun& run, const ProofReport& report);

}  // namespace gemmd
