// One kernel, run on a device the hard way: poisoned outputs, red zones around every tensor and between its lines,
// inputs compared with what was sent, outputs recomputed in fp64.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "client/tensor/tensor.h"
#include "client/verify/verify.h"
#include "engine/compiled_spec.h"
#include "engine/launch_signature.h"
#include "runtime/device.h"
#include "spec/kernel_spec.h"
#include "tests/gpu/guarded_tensor.h"

namespace gemmd {

// A spec with everything that one launch of it needs.
struct DeviceProblem {
  KernelSpec spec;
  DimValues dims;
  std::map<std::string, Tensor> inputs;  // every input that is no scalar
  ScalarValues scalars;
  std::map<std::string, Placement> placements;  // of inputs and outputs; absent: aligned and contiguous
  std::map<std::string, std::string> in_place;  // by output: the operand that it lies on, of the same placement
};

struct DeviceRunOptions {
  std::uint64_t seed = 1;
  std::int64_t rows = 1024;  // to recompute
  int threads = 0;           // that recompute; 0: one a processor
};

struct DeviceRunOutcome {
  VerifyReport report;
  std::string damage;                          // the first thing that is wrong beside the results; empty: nothing is
  std::map<std::string, std::string> outputs;  // their bytes
};

// A spec from its JSON. Dies on an invalid one: tests write specs.
KernelSpec SpecFromText(const std::string& json);

// Random data for an input that is no scalar; that of the matmul's B is divided by sqrt(K). Errors: ResolveTensor's.
absl::StatusOr<Tensor> RandomInput(const KernelSpec& spec, const std::string& name, const DimValues& dims,
                                   std::uint64_t seed);

// What a launch of the problem promises. Requires a valid spec and its canonical form. Errors: ResolveSignature's.
absl::StatusOr<Assumptions> AssumptionsFor(const DeviceProblem& problem, const CanonicalSpec& canonical);

// Loads `compiled`, made for `canonical`, launches it and unloads it. Where an output lies on an operand it is launched
// again that way, and has to give the same bits. Errors: BindLaunch's, CheckLaunch's, the device's.
absl::StatusOr<DeviceRunOutcome> RunProblem(Device& device, const CompiledSpec& compiled,
                                            const CanonicalSpec& canonical, const DeviceProblem& problem,
                                            const DeviceRunOptions& options);

// RunProblem on random inputs, aligned and contiguous.
absl::StatusOr<DeviceRunOutcome> RunOnDevice(Device& device, const CompiledSpec& compiled, const KernelSpec& spec,
                                             const CanonicalSpec& canonical, const DimValues& dims,
                                             const DeviceRunOptions& options);

}  // namespace gemmd
