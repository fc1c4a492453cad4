// A compiled spec of one process: what libgemmd hands out and launches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/libgemmd/gemmd.h"
#include "cuda/context.h"
#include "engine/engine.h"
#include "runtime/loaded_image.h"
#include "spec/arch.h"

namespace gemmd {

// Thread-safe.
class Kernel {
 public:
  // For an arch of `limits`: it can be looked at, not launched.
  Kernel(const CompileOutcome& compiled, const DeviceLimits& limits);
  // Loads it in `context`, whose device has `limits`. Errors: LoadedImage::Load's.
  static absl::StatusOr<std::unique_ptr<Kernel>> Load(const Driver& driver, BorrowedContext context,
                                                      const CompileOutcome& compiled, const DeviceLimits& limits);
  ~Kernel();

  const Manifest& manifest() const { return manifest_; }  // with the spec's names
  const std::string& manifest_json() const { return manifest_json_; }
  const std::string& report_json() const { return report_json_; }

  // Errors: InvalidArgument.
  absl::StatusOr<std::int64_t> WorkspaceBytes(const gemmd_shape& shape) const;
  // gemmd_launch. Errors: PlanLaunch's, FailedPrecondition (nothing is loaded), the driver's.
  absl::Status Launch(const gemmd_launch_arguments& arguments, CUstream stream) const;

 private:
  struct Loaded {
    BorrowedContext context;
    LoadedImage image;
  };

  absl::StatusOr<GemmShape> ShapeOf(const gemmd_shape& shape) const;

  const Manifest manifest_;
  const std::string manifest_json_, report_json_;
  std::optional<Loaded> loaded_;
};

}  // namespace gemmd
