// A device that computes what it should and then does one thing that no kernel may do.
#pragma once

#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "plan/manifest.h"
#include "runtime/device.h"

namespace gemmd {

enum class Fault {
  kNone,
  kNothingComputed,    // no output is written at all
  kWrongLine,          // the first row of an output is another
  kUnwrittenElement,   // the last element of an output is as it was before
  kWriteBefore,        // the byte before an output is another
  kWriteBehind,        // the byte behind an output's last line
  kWriteBetweenLines,  // the byte behind an output's first line, where its lines lie apart
  kChangedInput,       // a byte of A
  kWrongWhereInPlace,  // the first row of an output, only where that lies on an operand
};
std::string_view Name(Fault fault);

// Thread-safe, as the device that it wraps; that outlives it.
class FaultyDevice : public Device {
 public:
  FaultyDevice(Device* inner, Fault fault) : inner_(inner), fault_(fault) {}

  // Launches that the fault was done to: not those without elements, or with no place for it.
  int done() const { return done_; }

  const DeviceInfo& info() const override { return inner_->info(); }
  absl::StatusOr<BufferId> Allocate(std::int64_t bytes, absl::Time deadline) override {
    return inner_->Allocate(bytes, deadline);
  }
  absl::Status Free(BufferId buffer, absl::Time deadline) override { return inner_->Free(buffer, deadline); }
  absl::Status Write(BufferId buffer, std::int64_t offset_bytes, std::span<const std::byte> bytes,
                     absl::Time deadline) override {
    return inner_->Write(buffer, offset_bytes, bytes, deadline);
  }
  absl::Status Read(BufferId buffer, std::int64_t offset_bytes, std::span<std::byte> bytes,
                    absl::Time deadline) override {
    return inner_->Read(buffer, offset_bytes, bytes, deadline);
  }
  absl::StatusOr<LoadedKernelId> Load(const KernelImage& image, absl::Time deadline) override;
  absl::Status Unload(LoadedKernelId kernel, absl::Time deadline) override;
  absl::StatusOr<LaunchResult> Launch(const LaunchRequest& request, absl::Time deadline) override;

 private:
  absl::Status FlipBytes(const TensorBinding& binding, std::int64_t first_byte, std::int64_t bytes, std::int64_t step);

  Device* inner_;
  const Fault fault_;
  std::mutex mutex_;
  std::map<LoadedKernelId, Manifest> manifests_;
  int done_ = 0;
};

}  // namespace gemmd
