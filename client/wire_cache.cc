#include <utility>

#include "client/wire.h"

namespace gemmd {
namespace {

HeldKernelReport FromWire(v1::HeldKernel&& kernel) {
  HeldKernelReport report;
  report.spec_id = std::move(*kernel.mutable_spec_id());
  report.plan_id = std::move(*kernel.mutable_plan_id());
  report.cubin_key = std::move(*kernel.mutable_cubin_key());
  report.summary = std::move(*kernel.mutable_summary());
  report.schedule = std::move(*kernel.mutable_schedule());
  report.arch = std::move(*kernel.mutable_arch());
  report.tier = std::move(*kernel.mutable_tier());
  report.bytes = kernel.bytes();
  report.hits = kernel.hits();
  report.last_used = absl::FromUnixMillis(kernel.last_used_unix_ms());
  report.loaded_on.assign(kernel.loaded_on().begin(), kernel.loaded_on().end());
  return report;
}

CacheEntryReport FromWire(v1::CacheEntry&& entry) {
  CacheEntryReport report;
  report.cubin_key = std::move(*entry.mutable_cubin_key());
  report.bytes = entry.bytes();
  report.last_used = absl::FromUnixMillis(entry.last_used_unix_ms());
  report.damage = std::move(*entry.mutable_damage());
  report.spec_id = std::move(*entry.mutable_spec_id());
  report.plan_id = std::move(*entry.mutable_plan_id());
  report.summary = std::move(*entry.mutable_summary());
  report.schedule = std::move(*entry.mutable_schedule());
  report.arch = std::move(*entry.mutable_arch());
  report.compile_us = entry.compile_us();
  report.registers = entry.registers();
  report.spill_bytes = entry.spill_bytes();
  report.verified = std::move(*entry.mutable_verified());
  report.log = std::move(*entry.mutable_log());
  return report;
}

}  // namespace

std::vector<HeldKernelReport> FromWire(v1::ListKernelsResponse&& response) {
  std::vector<HeldKernelReport> kernels;
  for (v1::HeldKernel& kernel : *response.mutable_kernels()) kernels.push_back(FromWire(std::move(kernel)));
  return kernels;
}

CacheReport FromWire(v1::ListCacheResponse&& response) {
  CacheReport report;
  for (v1::CacheEntry& entry : *response.mutable_entries()) report.entries.push_back(FromWire(std::move(entry)));
  report.total_entries = response.total_entries();
  report.total_bytes = response.total_bytes();
  return report;
}

std::vector<QuarantinedKernelReport> FromWire(v1::ListQuarantineResponse&& response) {
  std::vector<QuarantinedKernelReport> reports;
  for (v1::QuarantinedKernel& kernel : *response.mutable_kernels()) {
    reports.push_back({.plan_id = std::move(*kernel.mutable_plan_id()),
                       .device = std::move(*kernel.mutable_device()),
                       .faults = kernel.faults(),
                       .last_fault = std::move(*kernel.mutable_last_fault()),
                       .since = absl::FromUnixMillis(kernel.since_unix_ms()),
                       .refused = kernel.refused(),
                       .spec_id = std::move(*kernel.mutable_spec_id()),
                       .summary = std::move(*kernel.mutable_summary())});
  }
  return reports;
}

StatsReport FromWire(v1::Stats&& stats) {
  StatsReport report;
  report.uptime_ms = stats.uptime_ms();
  report.compiler = {.compiles = stats.compiler().compiles(),
                     .failures = stats.compiler().failures(),
                     .compile_us = stats.compiler().compile_us(),
                     .rejected_candidates = stats.compiler().rejected_candidates()};
  report.memory = {.kernels = stats.memory().kernels(),
                   .bytes = stats.memory().bytes(),
                   .max_bytes = stats.memory().max_bytes(),
                   .hits = stats.memory().hits(),
                   .joined = stats.memory().joined(),
                   .evicted = stats.memory().evicted()};
  report.disk = {.entries = stats.disk().entries(),
                 .bytes = stats.disk().bytes(),
                 .max_bytes = stats.disk().max_bytes(),
                 .hits = stats.disk().hits(),
                 .misses = stats.disk().misses(),
                 .quarantined = stats.disk().quarantined(),
                 .evicted = stats.disk().evicted(),
                 .errors = stats.disk().errors()};
  for (const v1::DeviceCounters& device : stats.devices()) {
    report.devices.push_back({device.id(), device.launches(), device.loaded_kernels()});
  }
  return report;
}

v1::PurgeCacheRequest ToWire(const CachePurge& purge) {
  v1::PurgeCacheRequest request;
  if (const auto* key = std::get_if<PurgeByKey>(&purge)) request.set_cubin_key(key->cubin_key);
  if (const auto* unused = std::get_if<PurgeByAge>(&purge)) {
    request.set_unused_for_seconds(absl::ToInt64Seconds(unused->age));
  }
  if (std::holds_alternative<PurgeEverything>(purge)) request.set_all(true);
  return request;
}

}  // namespace gemmd
