// The pipeline from spec to kernel in this process: NVRTC, caches, and the device of the caller's context.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cache/disk_store.h"
#include "client/libgemmd/gemmd.h"
#include "client/libgemmd/kernel.h"
#include "client/libgemmd/lazy_compiler.h"
#include "engine/engine.h"

namespace gemmd {

// Thread-safe.
class InProcessCompiler {
 public:
  // Errors: DiskStore::Open's.
  static absl::StatusOr<std::unique_ptr<InProcessCompiler>> Create(const gemmd_compiler_options& options);

  // gemmd_compile. Errors: ParseValidSpec's, Engine::Compile's, Kernel::Load's; InvalidArgument (an option),
  // FailedPrecondition (no current context), Unavailable (no driver).
  absl::StatusOr<std::unique_ptr<Kernel>> Compile(std::string_view spec_json, const gemmd_compile_options& options);

 private:
  InProcessCompiler(const std::string& nvrtc_directory, std::unique_ptr<DiskStore> disk, std::int64_t memory_bytes);

  absl::StatusOr<std::unique_ptr<Kernel>> CompileFor(const KernelSpec& spec, const DeviceLimits& limits,
                                                     const Assumptions& assumptions, absl::Time deadline);

  const LazyCompiler compiler_;
  const std::unique_ptr<DiskStore> disk_;
  Engine engine_;
};

// gemmd_load. Errors: ManifestFromJson's, Kernel::Load's; InvalidArgument (the number of cubins), FailedPrecondition
// (no current context), Unavailable (no driver).
absl::StatusOr<std::unique_ptr<Kernel>> LoadKernel(std::string_view manifest_json, Kernel::Cubins cubins);

}  // namespace gemmd
