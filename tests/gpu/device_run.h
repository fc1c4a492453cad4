// One kernel, run on a device the hard way: random inputs, poisoned outputs, red zones around every tensor, inputs
// compared with what was sent, outputs recomputed in fp64.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "client/verify/verify.h"
#include "engine/compiled_kernel.h"
#include "runtime/device.h"
#include "spec/kernel_spec.h"

namespace gemmd {

struct DeviceRunOptions {
  std::uint64_t seed = 1;
  std::int64_t rows = 1024;  // to recompute
};

struct DeviceRunOutcome {
  VerifyReport report;
  std::string damage;                          // what was written that should not have been; empty when nothing was
  std::map<std::string, std::string> outputs;  // their bytes
};

// A spec from its JSON. Dies on an invalid one: tests write specs.
KernelSpec SpecFromText(const std::string& json);

// Loads, launches and unloads `kernel`, compiled for `canonical`, on `device`. Errors: the device's.
absl::StatusOr<DeviceRunOutcome> RunOnDevice(Device& device, const CompiledKernel& kernel, const KernelSpec& spec,
                                             const CanonicalSpec& canonical,
                                             const std::map<std::string, std::int64_t>& dims,
                                             const DeviceRunOptions& options);

}  // namespace gemmd
