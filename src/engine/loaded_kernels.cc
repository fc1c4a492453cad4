#include "engine/loaded_kernels.h"

#include <iterator>

#include "absl/time/clock.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr absl::Duration kUnloadTimeout = absl::Seconds(30);

// A GPU takes cubins; the host interpreter takes none.
KernelImage ImageFor(const DeviceInfo& device, const CompiledSpec& compiled) {
  KernelImage image{.manifest = compiled.manifest, .graph = compiled.planned.canonical.graph, .cubins = {}};
  if (device.kind == DeviceKind::kHost) return image;
  for (const CompiledModule& module : compiled.modules) image.cubins.push_back(module.cubin);
  return image;
}

}  // namespace

// A device that can't unload has lost the kernel with its worker.
LoadedKernel::~LoadedKernel() { device_->Unload(id_, absl::Now() + kUnloadTimeout).IgnoreError(); }

absl::StatusOr<std::shared_ptr<const LoadedKernel>> LoadKernel(const std::shared_ptr<Device>& device,
                                                               const CompiledSpec& compiled, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const LoadedKernelId id, device->Load(ImageFor(device->info(), compiled), deadline));
  return std::make_shared<const LoadedKernel>(device, id);
}

absl::StatusOr<std::shared_ptr<const LoadedKernel>> LoadedKernels::Get(const std::shared_ptr<Device>& device,
                                                                       const CompiledSpec& compiled,
                                                                       absl::Time deadline) {
  // An entry holds its device, so no other one has the same address meanwhile.
  const std::string key = fmt::format("{} {}", static_cast<const void*>(device.get()), compiled.planned.plan.plan_id);
  if (auto loaded = Find(key)) return loaded;
  using Result = absl::StatusOr<std::shared_ptr<const LoadedKernel>>;
  return flights_
      .Do(key, deadline,
          [&]() -> Result {
            if (auto loaded = Find(key)) return loaded;
            const ScopeTimer timer(*times_);
            GEMMD_ASSIGN_OR_RETURN(auto loaded, LoadKernel(device, compiled, deadline));
            Insert({.key = key, .plan_id = compiled.planned.plan.plan_id, .kernel = loaded});
            return loaded;
          })
      .result;
}

std::shared_ptr<const LoadedKernel> LoadedKernels::Find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->kernel;
}

std::map<std::string, std::vector<std::string>> LoadedKernels::Devices() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::vector<std::string>> devices;
  for (const Entry& entry : entries_) devices[entry.plan_id].push_back(entry.kernel->device()->info().id);
  return devices;
}

void LoadedKernels::DropLost() {
  std::list<Entry> dropped;  // let go of after the lock is given back
  const std::lock_guard lock(mutex_);
  dropped = TakeIf([](Device& device) { return !device.Health().ok(); });
}

void LoadedKernels::Insert(Entry entry) {
  std::list<Entry> dropped;  // unloaded after the lock is given back
  const std::lock_guard lock(mutex_);
  // Those on another device of the same id: its worker is gone.
  const Device& fresh = *entry.kernel->device();
  dropped = TakeIf([&](const Device& old) { return &old != &fresh && old.info().id == fresh.info().id; });
  entries_.push_front(std::move(entry));
  by_key_[entries_.front().key] = entries_.begin();
  while (entries_.size() > capacity_) {
    by_key_.erase(entries_.back().key);
    dropped.splice(dropped.end(), entries_, std::prev(entries_.end()));
  }
}

// The entries whose device is as `condition` says.
template <typename Condition>
std::list<LoadedKernels::Entry> LoadedKernels::TakeIf(Condition condition) {
  std::list<Entry> taken;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (condition(*entry->kernel->device())) {
      by_key_.erase(entry->key);
      taken.splice(taken.end(), entries_, entry);
    }
    entry = next;
  }
  return taken;
}

}  // namespace gemmd
