#include "client/libgemmd/lazy_compiler.h"

#include "base/status.h"
#include "kernels_src/embedded.h"

namespace gemmd {

absl::StatusOr<Cubin> LazyCompiler::Compile(const CompileRequest& request, absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<const Compiler> compiler, Get());
  return compiler->Compile(request, deadline);
}

absl::StatusOr<std::string> LazyCompiler::Identity() const {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<const Compiler> compiler, Get());
  return compiler->Identity();
}

absl::StatusOr<std::shared_ptr<const Compiler>> LazyCompiler::Get() const {
  const std::lock_guard lock(mutex_);
  if (compiler_ == nullptr) {
    GEMMD_ASSIGN_OR_RETURN(NvrtcLibrary library, LoadNvrtc(directories_));
    compiler_ = std::make_shared<const NvrtcCompiler>(std::move(library), DeviceLibrary());
  }
  return compiler_;
}

}  // namespace gemmd
