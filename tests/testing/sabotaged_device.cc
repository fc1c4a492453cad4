#include "sabotaged_device.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <utility>

#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::string_view kAlways = "always-";

std::optional<Sabotage> FromName(std::string_view name) {
  if (name.starts_with(kAlways)) name.remove_prefix(kAlways.size());
  if (name.starts_with("fault")) return Sabotage::kFault;
  if (name.starts_with("hang")) return Sabotage::kHang;
  if (name.starts_with("crash")) return Sabotage::kCrash;
  return std::nullopt;
}

bool MeantFor(const std::filesystem::path& order, std::string_view spec_id) {
  std::ifstream file(order);
  std::string wanted;
  if (!file) return false;  // another launch took it
  std::getline(file, wanted);
  return wanted.empty() || wanted == spec_id;
}

}  // namespace

absl::StatusOr<LoadedKernelId> SabotagedDevice::Load(const KernelImage& image, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const LoadedKernelId id, inner_->Load(image, deadline));
  const std::lock_guard lock(mutex_);
  spec_ids_[id] = image.manifest.spec_id;
  return id;
}

absl::Status SabotagedDevice::Unload(LoadedKernelId kernel, absl::Time deadline) {
  {
    const std::lock_guard lock(mutex_);
    spec_ids_.erase(kernel);
  }
  return inner_->Unload(kernel, deadline);
}

// Of several launches that find an order, the one that deletes the file has it.
std::optional<Sabotage> SabotagedDevice::TakeOrder(std::string_view spec_id) const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(orders_, error)) {
    const std::string name = entry.path().filename();
    const std::optional<Sabotage> order = FromName(name);
    if (!order || !MeantFor(entry.path(), spec_id)) continue;
    if (name.starts_with(kAlways) || std::filesystem::remove(entry.path(), error)) return order;
  }
  return std::nullopt;
}

absl::StatusOr<LaunchResult> SabotagedDevice::Launch(const LaunchRequest& request, absl::Time deadline) {
  if (lost_) return Unavailable("{} was lost to an ordered fault", info().id);
  std::string spec_id;
  {
    const std::lock_guard lock(mutex_);
    spec_id = spec_ids_[request.kernel];
  }
  const std::optional<Sabotage> order = TakeOrder(spec_id);
  if (!order) return inner_->Launch(request, deadline);
  switch (*order) {
    case Sabotage::kFault:
      lost_ = true;
      return Internal("an ordered fault of {}", info().id);
    case Sabotage::kHang:
      for (;;) pause();
    case Sabotage::kCrash:
      std::abort();
  }
  return Internal("an order that is none");
}

}  // namespace gemmd
