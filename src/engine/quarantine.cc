#include "engine/quarantine.h"

#include <algorithm>

#include "base/status.h"
#include "spec/diagnostic.h"

namespace gemmd {
namespace {

constexpr absl::Duration kMemory = absl::Hours(1);

}  // namespace

// Drops what lies too long back to count.
void KernelQuarantine::Forget(absl::Time now) {
  for (auto& [key, record] : records_) {
    if (record.quarantined()) continue;
    while (!record.alone.empty() && record.alone.front() < now - kMemory) record.alone.pop_front();
    if (record.last_fault_at < now - kMemory) record.beside = 0;
  }
  std::erase_if(records_, [](const auto& entry) { return entry.second.faults() == 0; });
  clean_ = records_.empty();
}

void KernelQuarantine::NoteFault(const std::string& device, const DeviceFault& fault, absl::Time now) {
  if (faults_ == 0 || fault.suspects.empty()) return;
  const std::lock_guard lock(mutex_);
  Forget(now);
  for (const std::string& plan_id : fault.suspects) {
    Record& record = records_[{device, plan_id}];
    if (fault.suspects.size() == 1) {
      record.alone.push_back(now);
    } else {
      ++record.beside;
    }
    record.last_fault = fault.reason;
    record.last_fault_at = now;
    if (!record.quarantined() && record.faults() >= faults_) record.since = now;
  }
  clean_ = false;
}

void KernelQuarantine::NoteSuccess(const std::string& device, const std::string& plan_id) {
  if (clean_) return;
  const std::lock_guard lock(mutex_);
  const auto found = records_.find({device, plan_id});
  if (found == records_.end() || found->second.quarantined()) return;
  found->second.beside = 0;
  if (found->second.alone.empty()) records_.erase(found);
  clean_ = records_.empty();
}

absl::Status KernelQuarantine::Check(const std::string& device, const std::string& plan_id) {
  if (clean_) return absl::OkStatus();
  const std::lock_guard lock(mutex_);
  const auto found = records_.find({device, plan_id});
  if (found == records_.end() || !found->second.quarantined()) return absl::OkStatus();
  Record& record = found->second;
  ++record.refused;
  ++refused_;
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "the kernel is quarantined on {} after {} faults, the last of them: {}; `gemmctl quarantine "
                    "release --plan {:.12}` ends that",
                    device, record.faults(), record.last_fault, plan_id);
}

std::vector<QuarantinedKernel> KernelQuarantine::List() const {
  std::vector<QuarantinedKernel> kernels;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, record] : records_) {
      if (!record.quarantined()) continue;
      kernels.push_back({.plan_id = key.second,
                         .device = key.first,
                         .faults = record.faults(),
                         .last_fault = record.last_fault,
                         .since = record.since,
                         .refused = record.refused});
    }
  }
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const QuarantinedKernel& a, const QuarantinedKernel& b) { return a.since > b.since; });
  return kernels;
}

absl::StatusOr<int> KernelQuarantine::Release(std::string_view plan_id_prefix) {
  if (plan_id_prefix.empty()) return InvalidArgument("plan_id: found nothing, expected a plan_id or its first digits");
  const auto meant = [&](const auto& entry) {
    return entry.second.quarantined() && entry.first.second.starts_with(plan_id_prefix);
  };
  const std::lock_guard lock(mutex_);
  const auto first = std::find_if(records_.begin(), records_.end(), meant);
  if (first == records_.end()) return NotFound("plan_id {}: not quarantined", Quote(plan_id_prefix));
  const std::string plan_id = first->first.second;
  if (std::any_of(first, records_.end(), [&](const auto& at) { return meant(at) && at.first.second != plan_id; })) {
    return InvalidArgument("plan_id {}: several quarantined kernels begin with it", Quote(plan_id_prefix));
  }
  const auto released = std::erase_if(records_, meant);
  clean_ = records_.empty();
  return static_cast<int>(released);
}

int KernelQuarantine::ReleaseAll() {
  const std::lock_guard lock(mutex_);
  const auto released = std::erase_if(records_, [](const auto& entry) { return entry.second.quarantined(); });
  clean_ = records_.empty();
  return static_cast<int>(released);
}

QuarantineStats KernelQuarantine::stats() const {
  const std::lock_guard lock(mutex_);
  const auto count =
      std::count_if(records_.begin(), records_.end(), [](const auto& at) { return at.second.quarantined(); });
  return {.kernels = count, .refused = refused_};
}

}  // namespace gemmd
