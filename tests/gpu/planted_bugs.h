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
  const char* spec = nullptr;  // JSON: one of those below
  std::string name;
  std::string file;
  std::string find;  // occurs exactly once
  std::string replace;
  std::function<void(Graph&)> mutate;
};

// Ragged in every extent, the first two with ten tile rows of which the last group has two.
extern const char kPlantedEpilogue[];   // a chain with every kind of operand and two stores
extern const char kPlantedPrologues[];  // a chain on A, infinite at 0, and one on B
extern const char kPlantedPacking[];    // for wgmma, whose A is packed for its odd lines and whose B for its chain too
extern const char kPlantedParts[];      // of tf32x3, whose factors are packed in two parts and transposed
extern const char kPlantedGate[];       // on wgmma's fragments, halves that end within a tile, both stored before it

extern const char kPlantedRows[];  // in wgmma's one kernel, two reductions over three tiles, of which one is ragged
extern const char kPlantedStatistic[];  // of rows, of which no element depends on it
extern const char kPlantedRowKernel[];  // in a kernel of its own, a CTA to a row
extern const char kPlantedSplit[];      // by mma: two CTAs a cluster, four clusters a tile
extern const char kPlantedSkinny[];     // two clusters of two CTAs, rows and columns that end within a tile

std::vector<PlantedBug> PlantedBugs();

}  // namespace gemmd
