#include "client/gemmctl/cache_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/str_join.h"
#include "client/gemmctl/table.h"

namespace gemmd {
namespace {

using Json = nlohmann::ordered_json;

std::string Bytes(std::int64_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (bytes < 1 << 10) return fmt::format("{} B", bytes);
  if (bytes < 1 << 20) return fmt::format("{:.1f} KiB", number / (1 << 10));
  if (bytes < 1 << 30) return fmt::format("{:.1f} MiB", number / (1 << 20));
  return fmt::format("{:.1f} GiB", number / (1 << 30));
}

std::string Line(std::string_view label, std::string_view text) {
  return fmt::format("{:<11}{}\n", fmt::format("{}:", label), text);
}

}  // namespace

std::string TextOf(const std::vector<HeldKernelReport>& kernels, absl::Time now) {
  Rows rows = {{"PLAN_ID", "TIER", "ARCH", "SCHEDULE", "SIZE", "HITS", "USED", "ON", "SPEC"}};
  for (const HeldKernelReport& kernel : kernels) {
    rows.push_back({ShortId(kernel.plan_id), kernel.tier, kernel.arch, kernel.schedule, Bytes(kernel.bytes),
                    fmt::format("{}", kernel.hits), Age(now - kernel.last_used),
                    kernel.loaded_on.empty() ? "-" : absl::StrJoin(kernel.loaded_on, ","), kernel.summary});
  }
  return Table(rows);
}

std::string TextOf(const CacheReport& report, absl::Time now) {
  Rows rows = {{"CUBIN_KEY", "ARCH", "SCHEDULE", "SIZE", "USED", "COMPILE", "SPEC"}};
  for (const CacheEntryReport& entry : report.entries) {
    const bool damaged = !entry.damage.empty();
    rows.push_back({ShortId(entry.cubin_key), damaged ? "-" : entry.arch, damaged ? "-" : entry.schedule,
                    Bytes(entry.bytes), Age(now - entry.last_used),
                    damaged ? "-" : fmt::format("{} ms", entry.compile_us / 1000),
                    damaged ? "damaged: " + entry.damage : entry.summary});
  }
  const auto shown = static_cast<std::int64_t>(report.entries.size());
  const std::string which = shown == report.total_entries ? "" : fmt::format(", the {} used last shown", shown);
  return Table(rows) + fmt::format("{} entries, {}{}\n", report.total_entries, Bytes(report.total_bytes), which);
}

std::string TextOf(const CacheEntryReport& entry, absl::Time now) {
  std::string text = Line("cubin_key", entry.cubin_key) +
                     Line("file", fmt::format("{} bytes, last used {} ago", entry.bytes, Age(now - entry.last_used)));
  if (!entry.damage.empty()) return text + Line("damaged", entry.damage);
  text += Line("spec", entry.summary) + Line("schedule", entry.schedule) + Line("arch", entry.arch) +
          Line("spec_id", entry.spec_id) + Line("plan_id", entry.plan_id) +
          Line("compiled", fmt::format("in {} ms, {} registers a thread, {} bytes spilled", entry.compile_us / 1000,
                                       entry.registers, entry.spill_bytes)) +
          Line("result", entry.verified);
  return entry.log.empty() ? text : text + Line("log", "") + entry.log + (entry.log.ends_with('\n') ? "" : "\n");
}

std::string TextOf(const PurgeReport& report, absl::Time) {
  return fmt::format("purged {} entries on disk ({}) and {} kernels in memory\n", report.disk_entries,
                     Bytes(report.disk_bytes), report.memory_kernels);
}

std::string TextOf(const StatsReport& report, absl::Time) {
  const CompilerReport& compiler = report.compiler;
  const MemoryTierReport& memory = report.memory;
  const DiskTierReport& disk = report.disk;
  std::string text =
      Line("up", Age(absl::Milliseconds(report.uptime_ms))) +
      Line("compiler", fmt::format("{} compiles in {:.1f} s, {} failed, {} candidates rejected", compiler.compiles,
                                   static_cast<double>(compiler.compile_us) / 1e6, compiler.failures,
                                   compiler.rejected_candidates)) +
      Line("memory",
           fmt::format("{} kernels, {} of {}; {} hits, {} joined a compile, {} evicted", memory.kernels,
                       Bytes(memory.bytes), Bytes(memory.max_bytes), memory.hits, memory.joined, memory.evicted)) +
      Line("disk", fmt::format("{} entries, {} of {}; {} hits, {} misses, {} evicted, {} quarantined, {} errors",
                               disk.entries, Bytes(disk.bytes), Bytes(disk.max_bytes), disk.hits, disk.misses,
                               disk.evicted, disk.quarantined, disk.errors));
  for (const DeviceCounters& device : report.devices) {
    text += Line(device.id, fmt::format("{} launches, {} kernels loaded", device.launches, device.loaded_kernels));
  }
  return text;
}

std::string TextOf(const std::vector<QuarantinedKernelReport>& kernels, absl::Time now) {
  if (kernels.empty()) return "no kernel is quarantined\n";
  Rows rows = {{"PLAN_ID", "DEVICE", "FAULTS", "SINCE", "REFUSED", "SPEC", "LAST FAULT"}};
  for (const QuarantinedKernelReport& kernel : kernels) {
    rows.push_back({ShortId(kernel.plan_id), kernel.device, fmt::format("{}", kernel.faults), Age(now - kernel.since),
                    fmt::format("{}", kernel.refused), kernel.summary.empty() ? "-" : kernel.summary,
                    kernel.last_fault});
  }
  return Table(rows);
}

std::string TextOf(const ReleaseReport& report, absl::Time) { return fmt::format("released {}\n", report.released); }

Json JsonOf(const std::vector<HeldKernelReport>& kernels) {
  Json list = Json::array();
  for (const HeldKernelReport& kernel : kernels) {
    list.push_back({{"spec_id", kernel.spec_id},
                    {"plan_id", kernel.plan_id},
                    {"cubin_key", kernel.cubin_key},
                    {"summary", kernel.summary},
                    {"schedule", kernel.schedule},
                    {"arch", kernel.arch},
                    {"tier", kernel.tier},
                    {"bytes", kernel.bytes},
                    {"hits", kernel.hits},
                    {"last_used", Moment(kernel.last_used)},
                    {"loaded_on", kernel.loaded_on}});
  }
  return {{"kernels", list}};
}

Json JsonOf(const CacheEntryReport& entry) {
  Json json = {{"cubin_key", entry.cubin_key}, {"bytes", entry.bytes}, {"last_used", Moment(entry.last_used)}};
  if (!entry.damage.empty()) {
    json["damage"] = entry.damage;
    return json;
  }
  json.update({{"spec_id", entry.spec_id},
               {"plan_id", entry.plan_id},
               {"summary", entry.summary},
               {"schedule", entry.schedule},
               {"arch", entry.arch},
               {"compile_us", entry.compile_us},
               {"registers", entry.registers},
               {"spill_bytes", entry.spill_bytes},
               {"verified", entry.verified},
               {"log", entry.log}});
  return json;
}

Json JsonOf(const CacheReport& report) {
  Json entries = Json::array();
  for (const CacheEntryReport& entry : report.entries) entries.push_back(JsonOf(entry));
  return {{"entries", entries}, {"total_entries", report.total_entries}, {"total_bytes", report.total_bytes}};
}

Json JsonOf(const PurgeReport& report) {
  return {{"disk_entries", report.disk_entries},
          {"disk_bytes", report.disk_bytes},
          {"memory_kernels", report.memory_kernels}};
}

Json JsonOf(const std::vector<QuarantinedKernelReport>& kernels) {
  Json list = Json::array();
  for (const QuarantinedKernelReport& kernel : kernels) {
    list.push_back({{"plan_id", kernel.plan_id},
                    {"device", kernel.device},
                    {"faults", kernel.faults},
                    {"last_fault", kernel.last_fault},
                    {"since", Moment(kernel.since)},
                    {"refused", kernel.refused},
                    {"spec_id", kernel.spec_id},
                    {"summary", kernel.summary}});
  }
  return {{"kernels", list}};
}

Json JsonOf(const ReleaseReport& report) { return {{"released", report.released}}; }

Json JsonOf(const StatsReport& report) {
  Json devices = Json::array();
  for (const DeviceCounters& device : report.devices) {
    devices.push_back({{"id", device.id}, {"launches", device.launches}, {"loaded_kernels", device.loaded_kernels}});
  }
  return {{"uptime_ms", report.uptime_ms},
          {"compiler",
           {{"compiles", report.compiler.compiles},
            {"failures", report.compiler.failures},
            {"compile_us", report.compiler.compile_us},
            {"rejected_candidates", report.compiler.rejected_candidates}}},
          {"memory",
           {{"kernels", report.memory.kernels},
            {"bytes", report.memory.bytes},
            {"max_bytes", report.memory.max_bytes},
            {"hits", report.memory.hits},
            {"joined", report.memory.joined},
            {"evicted", report.memory.evicted}}},
          {"disk",
           {{"entries", report.disk.entries},
            {"bytes", report.disk.bytes},
            {"max_bytes", report.disk.max_bytes},
            {"hits", report.disk.hits},
            {"misses", report.disk.misses},
            {"quarantined", report.disk.quarantined},
            {"evicted", report.disk.evicted},
            {"errors", report.disk.errors}}},
          {"devices", devices}};
}

}  // namespace gemmd
