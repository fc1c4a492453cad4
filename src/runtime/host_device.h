// The CPU as a device: same buffers, same checks, same results as a GPU within the tolerance.
#pragma once

#include <atomic>
#include <memory>

#include "runtime/device.h"
#include "runtime/handle_table.h"
#include "runtime/host_memory.h"
#include "runtime/slot_pool.h"

namespace gemmd {

// One launch runs at a time, on every thread, in the order of arrival; copies run beside it.
class HostDevice : public Device {
 public:
  // `threads` 0: as many as the CPU has.
  explicit HostDevice(int threads = 0);

  const DeviceInfo& info() const override { return info_; }
  absl::StatusOr<BufferId> Allocate(std::int64_t bytes, absl::Time deadline) override;
  absl::Status Free(BufferId buffer, absl::Time deadline) override;
  absl::Status Write(BufferId buffer, std::int64_t offset_bytes, std::span<const std::byte> bytes,
                     absl::Time deadline) override;
  absl::Status Read(BufferId buffer, std::int64_t offset_bytes, std::span<std::byte> bytes,
                    absl::Time deadline) override;
  absl::StatusOr<LoadedKernelId> Load(const KernelImage& image, absl::Time deadline) override;
  absl::Status Unload(LoadedKernelId kernel, absl::Time deadline) override;
  absl::StatusOr<LaunchResult> Launch(const LaunchRequest& request, absl::Time deadline) override;

 private:
  struct Buffer;
  struct Kernel;

  const int threads_;
  DeviceInfo info_;
  SlotPool turns_;
  std::shared_ptr<std::atomic<std::int64_t>> allocated_bytes_;  // of buffers that live, also after Free
  HandleTable<BufferId, Buffer> buffers_;
  HandleTable<LoadedKernelId, Kernel> kernels_;
};

}  // namespace gemmd
