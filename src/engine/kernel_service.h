// What the daemon does with a spec, without gRPC: compile it for a target, run it on a device.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/fair_queue.h"
#include "engine/engine.h"
#include "engine/launch_binding.h"
#include "engine/launch_signature.h"
#include "engine/loaded_kernels.h"
#include "engine/quarantine.h"
#include "runtime/device_pool.h"
#include "spec/arch.h"

namespace gemmd {

// What to compile for: a device, or a named arch. Neither: the default device.
struct KernelTarget {
  std::string device;  // "cuda:0", "host"
  std::string arch;    // "sm_90a"
};

struct LaunchOutcome {
  CompileOutcome compile;
  LaunchResult result;
};

// As tuning records name a device.
inline TunedDevice TunedDeviceOf(const DeviceInfo& info) { return {.name = info.name, .driver = info.driver}; }

// Who waits for a launch, and until when. Clients take turns where launches wait for a device.
struct Caller {
  std::string client;
  absl::Time deadline;
};

struct LaunchCounts {
  std::int64_t done = 0;
  std::int64_t failed = 0;  // on the device: not those refused before they reached it
};

// Thread-safe. Calls block until done or until the deadline; a launch of a compiled kernel waits for no compile.
class KernelService {
 public:
  struct Bounds {
    int max_waiting = 256;      // launches for one device; it is handed two for each of its slots
    int quarantine_faults = 3;  // after which a kernel is launched no more; 0: never
  };
  // `engine` and `devices` outlive the service. `default_limits` are those of the arch that kernels are compiled for
  // where there is no GPU.
  KernelService(Engine* engine, DevicePool* devices, const DeviceLimits& default_limits, const Bounds& bounds);
  KernelService(Engine* engine, DevicePool* devices, const DeviceLimits& default_limits)
      : KernelService(engine, devices, default_limits, Bounds()) {}

  // Errors: Engine::Plan's; InvalidArgument (an unknown arch), NotFound (no such device).
  absl::StatusOr<PlannedSpec> Plan(const KernelSpec& spec, const KernelTarget& target) const;
  // Of the plan for launches with those dims; nominal ones stand for those that are missing where none is given.
  // Errors: Plan's, ResolveSignature's.
  absl::StatusOr<PlanExplanation> Explain(const KernelSpec& spec, const KernelTarget& target,
                                          const DimValues& dims) const;
  // Errors: Engine::Compile's; as Plan's.
  absl::StatusOr<CompileOutcome> Compile(const KernelSpec& spec, const KernelTarget& target, absl::Time deadline);
  // Errors: Engine::Find's.
  absl::StatusOr<std::shared_ptr<const CompiledSpec>> Find(std::string_view plan_id) const {
    return engine_->Find(plan_id);
  }

  // Empty: the first GPU, else the host. Errors: NotFound.
  absl::StatusOr<std::shared_ptr<Device>> FindDevice(std::string_view id) const;

  // Compiles for a launch of that M on `device`. The host computes without cubins, so there a missing compiler is no
  // error: the outcome's tier is kUncompiled then. Errors: Engine::Compile's.
  absl::StatusOr<CompileOutcome> Prepare(const KernelSpec& spec, const DeviceInfo& device,
                                         const Assumptions& assumptions, std::int64_t m, absl::Time deadline);

  // Loads what Prepare made and runs it; for the same signature's spec and M, and arguments that keep its assumptions.
  // Errors: BindLaunch's, CheckLaunch's, KernelQuarantine::Check's, Device::Load's and Device::Launch's;
  // ResourceExhausted (too many wait).
  absl::StatusOr<LaunchOutcome> LaunchPrepared(const CompileOutcome& prepared, const std::shared_ptr<Device>& device,
                                               const LaunchSignature& signature, const TensorArguments& arguments,
                                               const Caller& caller);

  // Runs a kernel of that plan, loaded on `device` and not quarantined, in turn with other launches. Errors:
  // Device::Launch's; ResourceExhausted (too many wait).
  absl::StatusOr<LaunchResult> LaunchLoaded(Device& device, const std::string& plan_id, const LaunchRequest& request,
                                            const Caller& caller);

  // OK while a launch of the kernel on the device would run or may wait. Errors: ResourceExhausted,
  // KernelQuarantine::Check's.
  absl::Status CheckAdmission(const CompileOutcome& prepared, const DeviceInfo& device);

  // A device was lost: lets go of the kernels on it, and holds the fault against those that ran.
  void NoteFault(const std::string& device, const DeviceFault& fault);
  KernelQuarantine& quarantine() { return quarantine_; }
  const KernelQuarantine& quarantine() const { return quarantine_; }

  // What kernels for the device are planned for: a host's are those of the default arch.
  const DeviceLimits& LimitsOfDevice(const DeviceInfo& device) const;

  // Where the stages' times are recorded.
  StageTimes& stages() const { return engine_->stages(); }

  // The ids of the devices that have a kernel loaded, by its plan_id.
  std::map<std::string, std::vector<std::string>> LoadedOn() const { return loaded_.Devices(); }
  // What each device has launched, by its id.
  std::map<std::string, LaunchCounts> Launches() const;
  // What runs and waits on each device that was launched on, by its id.
  std::map<std::string, FairQueueStats> LaunchQueues() const;

 private:
  FairQueue& QueueOf(const DeviceInfo& device);
  absl::StatusOr<LaunchResult> LaunchOn(Device& device, const std::string& plan_id, const LaunchRequest& request,
                                        absl::Time deadline);
  struct PlannedFor {
    DeviceLimits limits;
    TunedDevice device;  // none for a named arch
  };
  absl::StatusOr<PlannedFor> Resolve(const KernelTarget& target) const;

  Engine* engine_;
  DevicePool* devices_;
  DeviceLimits default_limits_;
  const int max_waiting_;
  LoadedKernels loaded_;
  KernelQuarantine quarantine_;
  mutable std::mutex launches_mutex_;
  std::map<std::string, std::unique_ptr<FairQueue>> queues_;  // by device id; never taken out
  std::map<std::string, LaunchCounts> launches_;
};

}  // namespace gemmd
