// NVRTC in this process, opened when it is first needed.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "compile/nvrtc_compiler.h"

namespace gemmd {

// Thread-safe. An NVRTC that was missing is looked for again by the next call.
class LazyCompiler final : public Compiler {
 public:
  explicit LazyCompiler(std::vector<std::string> directories) : directories_(std::move(directories)) {}

  absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time deadline) const override;
  absl::StatusOr<std::string> Identity() const override;

 private:
  absl::StatusOr<std::shared_ptr<const Compiler>> Get() const;

  const std::vector<std::string> directories_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Compiler> compiler_;
};

}  // namespace gemmd
