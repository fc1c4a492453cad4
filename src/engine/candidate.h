// One candidate config on its way to a cubin: planned, keyed, fetched or compiled, judged.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/cubin_store.h"
#include "compile/compiler.h"
#include "engine/compiled_kernel.h"
#include "spec/arch.h"

namespace gemmd {

// Plans and generates `config`. `compiler_identity` empty: no cubin_key. Errors: Internal (Generate's).
absl::StatusOr<PlannedKernel> PlanCandidate(const CanonicalSpec& canonical, const KernelConfig& config,
                                            const DeviceLimits& limits, const Assumptions& assumptions,
                                            std::string_view compiler_identity);

struct BuiltCandidate {
  std::shared_ptr<const CompiledKernel> kernel;
  bool from_disk = false;
};

// The kernel of a planned candidate, from `disk` (may be null) or compiled and then put there. A bad or unreachable
// disk counts as a miss. What compiled but may not serve is stored all the same, so that it is not compiled again only
// to be rejected again. Errors: FailedPrecondition (it may not serve: try the next candidate), Compiler's.
absl::StatusOr<BuiltCandidate> BuildCandidate(PlannedKernel planned, const Compiler& compiler, CubinStore* disk,
                                              absl::Time deadline);

}  // namespace gemmd
