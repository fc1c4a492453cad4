// Where kernels run: a GPU, or the host interpreter; directly, or behind a worker process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plan/graph.h"
#include "plan/manifest.h"
#include "spec/arch.h"

namespace gemmd {

enum class DeviceKind { kHost, kCuda };

struct DeviceInfo {
  std::string id;  // "host", "cuda:0"
  DeviceKind kind = DeviceKind::kHost;
  std::string name;     // "NVIDIA H200", or the CPU's model
  std::string driver;   // "580.159.03 (CUDA 13.0)"; empty for host
  DeviceLimits limits;  // of a GPU
  std::int64_t memory_bytes = 0;
  int slots = 0;  // launches in flight at once
};

// Strong ids; 0 is none. Unique for the life of a device.
enum class BufferId : std::uint64_t {};
enum class LoadedKernelId : std::uint64_t {};

// A kernel as a device takes it. A GPU uses the cubins, the host interpreter the graph.
struct KernelImage {
  Manifest manifest;
  Graph graph;
  std::vector<std::shared_ptr<const std::string>> cubins;  // by Manifest::cubin_keys; empty for the host device
};

// Where a tensor lies: `leading_dimension` in elements (0: contiguous).
struct TensorBinding {
  BufferId buffer{};
  std::int64_t offset_bytes = 0;
  std::int64_t leading_dimension = 0;
};

inline constexpr std::size_t kInlineTensors = 8;  // so many inputs and outputs need no host memory of their own
using TensorBindings = absl::InlinedVector<TensorBinding, kInlineTensors>;

struct LaunchRequest {
  LoadedKernelId kernel{};
  GemmShape shape;
  TensorBindings inputs;                               // by graph index; ignored for scalars
  TensorBindings outputs;                              // by graph index
  absl::InlinedVector<float, kInlineTensors> scalars;  // by graph index of the input; ignored for the others
  // Written from end to end before the launch and outside of its time, so that a cache no larger holds nothing of the
  // tensors. 0: nothing is.
  BufferId flush{};
};

struct LaunchResult {
  std::int64_t device_ns = 0;  // between events around the launches; wall time on the host device
};

// Thread-safe. Calls block until done or until the deadline. Launches and copies on one device may overlap.
// Errors of every call: Unavailable (the device's worker is gone), DeadlineExceeded, Internal (a driver error, named).
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceInfo& info() const = 0;
  // OK while calls may succeed. Errors: Unavailable: the device is lost, with all that it held, and why.
  virtual absl::Status Health() { return absl::OkStatus(); }

  // Zero-initialised memory, aligned to 256 bytes. Errors: ResourceExhausted.
  virtual absl::StatusOr<BufferId> Allocate(std::int64_t bytes, absl::Time deadline) = 0;
  // Errors: NotFound.
  virtual absl::Status Free(BufferId buffer, absl::Time deadline) = 0;
  // Errors: NotFound, OutOfRange.
  virtual absl::Status Write(BufferId buffer, std::int64_t offset_bytes, std::span<const std::byte> bytes,
                             absl::Time deadline) = 0;
  virtual absl::Status Read(BufferId buffer, std::int64_t offset_bytes, std::span<std::byte> bytes,
                            absl::Time deadline) = 0;
  // Loads modules. Errors: InvalidArgument (an image for another arch).
  virtual absl::StatusOr<LoadedKernelId> Load(const KernelImage& image, absl::Time deadline) = 0;
  virtual absl::Status Unload(LoadedKernelId kernel, absl::Time deadline) = 0;
  // Runs the kernel to its end. Errors: NotFound, OutOfRange (a tensor past its buffer), InvalidArgument (an extent
  // that contradicts the manifest, a misaligned pointer).
  virtual absl::StatusOr<LaunchResult> Launch(const LaunchRequest& request, absl::Time deadline) = 0;
};

}  // namespace gemmd
