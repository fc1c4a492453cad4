// How long the stages of the pipeline take.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/duration_histogram.h"

namespace gemmd {

enum class Stage {
  kValidate,  // a spec as it came, to a valid one
  kPlan,      // ranking the configs
  kGenerate,  // one candidate's source and keys
  kCompile,   // one kernel, with its wait for a compile worker
  kLoad,      // a plan's modules onto a device
  kQueue,     // a launch's wait for its device
  kLaunch,    // until the device is done
};
inline constexpr std::array kStages = {Stage::kValidate, Stage::kPlan,  Stage::kGenerate, Stage::kCompile,
                                       Stage::kLoad,     Stage::kQueue, Stage::kLaunch};
constexpr std::string_view Name(Stage stage) {
  constexpr std::array<std::string_view, kStages.size()> kNames = {"validate", "plan",  "generate", "compile",
                                                                   "load",     "queue", "launch"};
  return kNames[static_cast<std::size_t>(stage)];
}

// Thread-safe.
class StageTimes {
 public:
  DurationHistogram& of(Stage stage) { return times_[static_cast<std::size_t>(stage)]; }
  const DurationHistogram& of(Stage stage) const { return times_[static_cast<std::size_t>(stage)]; }

 private:
  std::array<DurationHistogram, kStages.size()> times_;
};

}  // namespace gemmd
