#include "compile/counting_compiler.h"

namespace gemmd {

absl::StatusOr<Cubin> CountingCompiler::Compile(const CompileRequest& request, absl::Time deadline) const {
  const ScopeTimer timer(*times_);
  absl::StatusOr<Cubin> cubin = inner_->Compile(request, deadline);
  ++compiles_;
  if (cubin.ok()) {
    compile_us_ += cubin->compile_us;
  } else {
    ++failures_;
  }
  return cubin;
}

}  // namespace gemmd
