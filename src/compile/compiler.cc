#include "compile/compiler.h"

#include "base/status.h"
#include "compile/ptxas_report.h"

namespace gemmd {

std::vector<std::string> StandardOptions() {
  return {
      "--std=c++20",
      "--ptxas-options=-v",  // the resource report that CheckClean reads
  };
}

absl::Status CheckClean(const Cubin& cubin) {
  for (const ResourceUsage& usage : cubin.usage) {
    if (usage.spill_store_bytes == 0 && usage.spill_load_bytes == 0) continue;
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "{}: registers spill ({} bytes stored, {} loaded, {} registers)", usage.entry,
                      usage.spill_store_bytes, usage.spill_load_bytes, usage.registers);
  }
  if (const std::vector<std::string> warnings = PerformanceWarnings(cubin.log); !warnings.empty()) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition, "{}", fmt::join(warnings, "; "));
  }
  return absl::OkStatus();
}

}  // namespace gemmd
