// What the stages of the pipeline hand on: a planned kernel, a compiled one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "codegen/generate.h"
#include "compile/compiler.h"
#include "plan/graph.h"
#include "plan/manifest.h"
#include "plan/plan.h"

namespace gemmd {

struct PlannedKernel {
  CanonicalSpec canonical;
  std::string spec_id;
  Plan plan;
  GeneratedKernel generated;  // of the plan's (only) kernel
  std::string cubin_key;      // empty when there is no compiler: its build is an ingredient
};

struct CompiledKernel {
  PlannedKernel planned;
  Manifest manifest;  // with the user's names left empty
  std::shared_ptr<const std::string> cubin;
  std::vector<ResourceUsage> usage;
  std::string log;
  std::int64_t compile_us = 0;  // of the compile that made it, also when a cache answered
};

}  // namespace gemmd
