// One candidate plan on its way to cubins: generated, keyed, fetched or compiled, judged.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/cubin_store.h"
#include "compile/compiler.h"
#include "engine/compiled_spec.h"
#include "spec/arch.h"

namespace gemmd {

// Generates the kernels of `plan`. `compiler_identity` empty: no cubin keys. Errors: Internal (Generate's).
absl::StatusOr<PlannedSpec> PlanCandidate(const CanonicalSpec& canonical, Plan plan,
                                          std::string_view compiler_identity);

struct BuiltCandidate {
  std::shared_ptr<const CompiledSpec> compiled;
  int compiles = 0;   // kernels that were compiled
  int disk_hits = 0;  // kernels that `disk` had
};

// What becomes of a candidate whose kernels are right but not clean (CheckClean): another one is faster, if there is
// one.
enum class Unclean { kRefused, kTaken };

// The kernels of a planned candidate, from `disk` (may be null) or compiled and then put there. A bad or unreachable
// disk counts as a miss. What compiled but is refused is stored all the same, so that it is not compiled again only to
// be refused again. Errors: FailedPrecondition (it is not clean: try the next candidate), Compiler's.
absl::StatusOr<BuiltCandidate> BuildCandidate(PlannedSpec planned, const Compiler& compiler, CubinStore* disk,
                                              absl::Time deadline, Unclean unclean = Unclean::kRefused);

}  // namespace gemmd
