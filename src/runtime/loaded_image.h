// A kernel image in a CUDA context: its modules, and how a planned launch of it gets onto a stream, anybody's.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cuda/driver.h"
#include "cuda/module.h"
#include "plan/manifest.h"
#include "runtime/launch_plan.h"
#include "spec/arch.h"

namespace gemmd {

// The context that was current in Load has to be where it is enqueued and destroyed. The const methods are thread-safe.
class LoadedImage {
 public:
  // `cubins` by Manifest::cubin_keys; `device` is that of the current context.
  // Errors: InvalidArgument (an image for another arch, or for a device of more SMs; a launch of a module that there is
  // not), Module's.
  static absl::StatusOr<LoadedImage> Load(const Driver& driver, const DeviceLimits& device, Manifest manifest,
                                          std::span<const std::shared_ptr<const std::string>> cubins);

  const Manifest& manifest() const { return manifest_; }

  // Encodes the tensor maps of a launch, which PlanLaunch made of this manifest, into its parameters.
  // Errors: the driver's.
  absl::Status EncodeMaps(LaunchPlan& plan) const;

  // Puts the kernels of a launch with its maps on `stream`, in their order: none where M or N is 0. Waits for nothing
  // and allocates nothing; `stream` may be capturing. Errors: the driver's; what was enqueued before goes on.
  absl::Status Enqueue(const LaunchPlan& plan, CUstream stream) const;

 private:
  LoadedImage(Driver driver, int sm_count, Manifest manifest)
      : driver_(std::move(driver)), sm_count_(sm_count), manifest_(std::move(manifest)) {}

  Driver driver_;
  int sm_count_;
  Manifest manifest_;
  std::vector<Module> modules_;
  std::vector<std::vector<KernelFunction>> functions_;  // by variant, by launch
};

}  // namespace gemmd
