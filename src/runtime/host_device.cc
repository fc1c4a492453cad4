#include "runtime/host_device.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "base/status.h"
#include "runtime/bound_tensors.h"
#include "runtime/host_interpreter.h"
#include "runtime/launch_plan.h"

namespace gemmd {
namespace {

// "model name : …" of /proc/cpuinfo, or the machine's word size where it has none.
std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    const std::size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return fmt::format("{}-bit CPU", sizeof(void*) * 8);
}

DeviceInfo DescribeHost() {
  DeviceInfo info;
  info.id = "host";
  info.kind = DeviceKind::kHost;
  info.name = CpuModel();
  info.memory_bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  info.slots = 1;
  return info;
}

int ThreadsOrAll(int threads) {
  return threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::vector<HostTensor> HostTensorsOf(const PlacedTensors& placed) {
  std::vector<HostTensor> tensors;
  for (const PlacedTensor& tensor : placed) {
    tensors.push_back({reinterpret_cast<std::byte*>(tensor.address), tensor.leading_dimension});
  }
  return tensors;
}

}  // namespace

struct HostDevice::Buffer {
  HostMemory memory;
  std::shared_ptr<std::atomic<std::int64_t>> allocated_bytes;

  Buffer(HostMemory owned, std::shared_ptr<std::atomic<std::int64_t>> total)
      : memory(std::move(owned)), allocated_bytes(std::move(total)) {}
  ~Buffer() { *allocated_bytes -= memory.bytes(); }
};

struct HostDevice::Kernel {
  Manifest manifest;
  Graph graph;
};

HostDevice::HostDevice(int threads)
    : threads_(ThreadsOrAll(threads)),
      info_(DescribeHost()),
      turns_(1, "turn of the host device"),
      allocated_bytes_(std::make_shared<std::atomic<std::int64_t>>(0)),
      buffers_("buffer"),
      kernels_("loaded kernel") {}

absl::StatusOr<BufferId> HostDevice::Allocate(std::int64_t bytes, absl::Time) {
  if (bytes < 0) return InvalidArgument("a buffer of {} bytes", bytes);
  // The kernel overcommits: without this bound a client could make it kill us.
  const std::int64_t before = allocated_bytes_->fetch_add(bytes);
  if (bytes > info_.memory_bytes - before) {
    *allocated_bytes_ -= bytes;
    return ResourceExhausted("no host memory for a buffer of {} bytes: {} of {} are allocated", bytes, before,
                             info_.memory_bytes);
  }
  absl::StatusOr<HostMemory> memory = HostMemory::Allocate(bytes);
  if (!memory.ok()) {
    *allocated_bytes_ -= bytes;
    return memory.status();
  }
  return buffers_.Insert(std::make_shared<Buffer>(*std::move(memory), allocated_bytes_));
}

absl::Status HostDevice::Free(BufferId buffer, absl::Time) { return buffers_.Remove(buffer).status(); }

absl::Status HostDevice::Write(BufferId buffer, std::int64_t offset_bytes, std::span<const std::byte> bytes,
                               absl::Time) {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Buffer> target, buffers_.Find(buffer));
  GEMMD_RETURN_IF_ERROR(CheckRange(offset_bytes, bytes.size(), target->memory.bytes()));
  if (!bytes.empty()) std::memcpy(target->memory.data() + offset_bytes, bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status HostDevice::Read(BufferId buffer, std::int64_t offset_bytes, std::span<std::byte> bytes, absl::Time) {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Buffer> source, buffers_.Find(buffer));
  GEMMD_RETURN_IF_ERROR(CheckRange(offset_bytes, bytes.size(), source->memory.bytes()));
  if (!bytes.empty()) std::memcpy(bytes.data(), source->memory.data() + offset_bytes, bytes.size());
  return absl::OkStatus();
}

absl::StatusOr<LoadedKernelId> HostDevice::Load(const KernelImage& image, absl::Time) {
  const std::size_t inputs = image.graph.inputs.size();
  const std::size_t outputs = image.graph.outputs.size();
  if (image.manifest.inputs.size() != inputs || image.manifest.outputs.size() != outputs) {
    return InvalidArgument("the manifest has {} inputs and {} outputs, the graph {} and {}",
                           image.manifest.inputs.size(), image.manifest.outputs.size(), inputs, outputs);
  }
  return kernels_.Insert(std::make_shared<Kernel>(Kernel{image.manifest, image.graph}));
}

absl::Status HostDevice::Unload(LoadedKernelId kernel, absl::Time) { return kernels_.Remove(kernel).status(); }

absl::StatusOr<LaunchResult> HostDevice::Launch(const LaunchRequest& request, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Kernel> kernel, kernels_.Find(request.kernel));
  GEMMD_ASSIGN_OR_RETURN(
      const BoundTensors<Buffer> bound, BindTensors(buffers_, request, [](const Buffer& buffer) {
        return MemoryRange{reinterpret_cast<std::uint64_t>(buffer.memory.data()), buffer.memory.bytes()};
      }));
  GEMMD_ASSIGN_OR_RETURN(const LaunchPlan plan, PlanLaunch(kernel->manifest, request, bound.inputs, bound.outputs));
  std::shared_ptr<Buffer> flush;
  if (request.flush != BufferId{}) {
    GEMMD_ASSIGN_OR_RETURN(flush, buffers_.Find(request.flush));
  }
  GEMMD_ASSIGN_OR_RETURN(const SlotPool::Lease turn, turns_.Acquire(deadline));
  if (flush != nullptr) std::memset(flush->memory.data(), 0, static_cast<std::size_t>(flush->memory.bytes()));
  const std::vector<HostTensor> inputs = HostTensorsOf(plan.inputs);
  const std::vector<HostTensor> outputs = HostTensorsOf(plan.outputs);
  const absl::Time start = absl::Now();
  GEMMD_RETURN_IF_ERROR(
      Interpret(kernel->graph, request.shape, {inputs, outputs, request.scalars}, threads_, deadline));
  return LaunchResult{absl::ToInt64Nanoseconds(absl::Now() - start)};
}

}  // namespace gemmd
