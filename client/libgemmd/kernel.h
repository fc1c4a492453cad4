// A compiled spec of one process: what libgemmd hands out and launches.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/libgemmd/gemmd.h"
#include "cuda/context.h"
#include "plan/manifest.h"
#include "runtime/loaded_image.h"
#include "spec/arch.h"

namespace gemmd {

// Thread-safe.
class Kernel {
 public:
  using Cubins = std::vector<std::shared_ptr<const std::string>>;  // by Manifest::cubin_keys

  // It can be looked at, not launched. `report_json` may be empty.
  Kernel(Manifest manifest, Cubins cubins, std::string report_json);
  ~Kernel();

  // Loads it in `context`, whose device has `limits`; once. Errors: LoadedImage::Load's.
  absl::Status Load(const Driver& driver, BorrowedContext context, const DeviceLimits& limits);

  const Manifest& manifest() const { return manifest_; }  // with the spec's names
  const std::string& manifest_json() const { return manifest_json_; }
  const std::string& report_json() const { return report_json_; }
  const Cubins& cubins() const { return cubins_; }

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
  const std::string manifest_json_;
  const Cubins cubins_;
  const std::string report_json_;
  std::optional<Loaded> loaded_;
};

}  // namespace gemmd
