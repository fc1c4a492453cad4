// A device whose launches go wrong on order, as a GPU's do: for tests of what then becomes of everything else.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "runtime/device.h"

namespace gemmd {

enum class Sabotage {
  kFault,  // answers Internal; the device is lost
  kHang,   // never ends, whatever its deadline
  kCrash,  // ends the process with SIGABRT
};

// An order is a file "fault…", "hang…" or "crash…" in the directory. The first line in it is the spec_id that it is
// meant for; an empty file means any. The launch that follows an order takes the file away; it stays, for every launch
// to come, where its name begins with "always-". Names that begin otherwise are nothing to this. Thread-safe.
class SabotagedDevice : public Device {
 public:
  SabotagedDevice(std::unique_ptr<Device> inner, std::filesystem::path orders)
      : inner_(std::move(inner)), orders_(std::move(orders)) {}

  bool lost() const { return lost_; }

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
  std::optional<Sabotage> TakeOrder(std::string_view spec_id) const;

  const std::unique_ptr<Device> inner_;
  const std::filesystem::path orders_;
  std::atomic<bool> lost_{false};
  std::mutex mutex_;
  std::unordered_map<LoadedKernelId, std::string> spec_ids_;
};

}  // namespace gemmd
