// A GPU in this process: for device workers, and for programs that want no daemon.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>

#include "cuda/context.h"
#include "cuda/memory.h"
#include "runtime/abandoned_work.h"
#include "runtime/device.h"
#include "runtime/handle_table.h"
#include "runtime/loaded_image.h"
#include "runtime/stream_pool.h"

namespace gemmd {

// A kernel fault ruins the process (facts of the driver: every later call fails, in every context). The call that meets
// it answers Internal with the driver's error; every later one Unavailable, naming that first error.
// A launch that outlives its deadline can't be stopped; its buffers stay allocated and its stream leased until it ends.
// Copies heed their deadline only before they start: they use the caller's memory, and they never wait for kernels.
class CudaDevice : public Device {
 public:
  // What becomes of the call for a launch that outlives its deadline.
  enum class PastDeadline {
    kReturn,  // DeadlineExceeded
    kAwait,   // it returns when the launch ends: for whoever watches for launches that never do
  };
  // `slots`: launches and copies in flight at once, a stream each. Errors: NotFound (no GPU of that ordinal).
  static absl::StatusOr<std::unique_ptr<CudaDevice>> Create(const Driver& driver, int ordinal, int slots,
                                                            PastDeadline past_deadline = PastDeadline::kReturn);
  ~CudaDevice() override;

  // Pins memory that the caller will copy from and to; let go of it before the device.
  absl::StatusOr<PinnedRegistration> Pin(std::span<std::byte> memory);
  // Whether the context was lost: no later call can succeed.
  bool lost() const;

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

  CudaDevice(Driver driver, PrimaryContext context, StreamPool streams, DeviceInfo info, PastDeadline past_deadline);

  absl::Status Enter() const;
  absl::Status Observe(absl::Status status);
  absl::StatusOr<std::shared_ptr<Buffer>> MakeBuffer(std::int64_t bytes, absl::Time deadline);
  absl::StatusOr<LaunchResult> RunLaunch(const LaunchRequest& request, absl::Time deadline);

  const Driver driver_;
  const PrimaryContext context_;
  const DeviceInfo info_;
  const PastDeadline past_deadline_;
  StreamPool streams_;
  HandleTable<BufferId, Buffer> buffers_;
  HandleTable<LoadedKernelId, LoadedImage> kernels_;
  mutable std::mutex mutex_;
  absl::Status lost_to_;  // the first error that ruined the context
  AbandonedWork abandoned_;
};

}  // namespace gemmd
