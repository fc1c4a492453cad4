// Counts and times what another compiler does.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/duration_histogram.h"
#include "compile/compiler.h"

namespace gemmd {

struct CompilerStats {
  std::int64_t compiles = 0;    // ended, well or not
  std::int64_t failures = 0;    // of them
  std::int64_t compile_us = 0;  // of those that ended well, as they report it
};

class CountingCompiler final : public Compiler {
 public:
  // Both outlive this.
  CountingCompiler(const Compiler* inner, DurationHistogram* times) : inner_(inner), times_(times) {}

  absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time deadline) const override;
  absl::StatusOr<std::string> Identity() const override { return inner_->Identity(); }
  CompilerStats stats() const { return {compiles_, failures_, compile_us_}; }

 private:
  const Compiler* const inner_;
  DurationHistogram* const times_;
  mutable std::atomic<std::int64_t> compiles_{0}, failures_{0}, compile_us_{0};
};

}  // namespace gemmd
