// Bugs to plant in the kernels: each must be noticed when its kernel runs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plan/graph.h"

namespace gemmd {

// Either a piece of the device library (or of the generated source, where `file` is empty) is replaced, or the graph
// is changed before the kernel is generated.
struct PlantedBug {
  std::string name;
  std::string file;
  std::string find;  // occurs exactly once
  std::string replace;
  std::function<void(Graph&)> mutate;
};

// For a chain of mul 1.25, add residual * 0.5, add bias, sub column, store aux, gelu, store out.
std::vector<PlantedBug> PlantedBugs();

}  // namespace gemmd
