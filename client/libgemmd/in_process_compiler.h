// The pipeline from spec to kernel in this process: NVRTC, caches, and the device of the caller's context.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
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
  InProcessCompiler(std::string nvrtc_directory, std::unique_ptr<DiskStore> disk, std::int64_t memory_bytes);

  // Opens the driver at the first call that finds one.
  absl::StatusOr<Driver> GetDriver();

  const LazyCompiler compiler_;
  const std::unique_ptr<DiskStore> disk_;
  Engine engine_;
  std::mutex mutex_;
  std::optional<Driver> driver_;
};

}  // namespace gemmd
