// What the stages of the pipeline hand on: a planned spec, a compiled one.
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

// One kernel of a plan as the compiler takes it.
struct PlannedModule {
  GeneratedKernel generated;
  std::string cubin_key;  // empty when there is no compiler: its build is an ingredient
};

struct PlannedSpec {
  CanonicalSpec canonical;
  std::string spec_id;
  Plan plan;
  std::vector<PlannedModule> modules;  // of the plan's kernels, in their order
};

struct CompiledModule {
  std::shared_ptr<const std::string> cubin;
  std::vector<ResourceUsage> usage;
  std::string log;
  std::int64_t compile_us = 0;  // of the compile that made it, also when a cache answered
};

struct CompiledSpec {
  PlannedSpec planned;
  Manifest manifest;                    // with the user's names left empty
  std::vector<CompiledModule> modules;  // by Manifest::cubin_keys; none where nothing was compiled
};

// The cubin keys of the plan's kernels, in their order.
std::vector<std::string> CubinKeys(const PlannedSpec& planned);

// What stands for compiled kernels where nothing can be compiled and nothing needs to be.
CompiledSpec WithoutCubins(PlannedSpec planned);

// One compiled spec of the variants of several, as plan::Joined. Requires at least one, all of one graph.
CompiledSpec Joined(const std::vector<std::shared_ptr<const CompiledSpec>>& parts);

}  // namespace gemmd
