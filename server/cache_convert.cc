#include "server/cache_convert.h"

#include <algorithm>

#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::size_t kDefaultLimit = 1000;

}  // namespace

v1::HeldKernel ToProto(const HeldKernel& kernel) {
  v1::HeldKernel message;
  message.set_spec_id(kernel.spec_id);
  message.set_plan_id(kernel.plan_id);
  message.set_cubin_key(kernel.cubin_key);
  message.set_summary(kernel.summary);
  message.set_schedule(kernel.schedule);
  message.set_arch(kernel.arch);
  message.set_tier(std::string(Name(kernel.tier)));
  message.set_bytes(kernel.bytes);
  message.set_hits(kernel.hits);
  message.set_last_used_unix_ms(absl::ToUnixMillis(kernel.last_used));
  for (const std::string& device : kernel.loaded_on) message.add_loaded_on(device);
  return message;
}

v1::CacheEntry ToProto(const CachedCubin& cubin) {
  v1::CacheEntry message;
  message.set_cubin_key(cubin.cubin_key);
  message.set_bytes(cubin.bytes);
  message.set_last_used_unix_ms(absl::ToUnixMillis(cubin.last_used));
  message.set_damage(cubin.damage);
  if (!cubin.damage.empty()) return message;
  const CubinRecord& record = cubin.record;
  message.set_spec_id(record.spec_id);
  message.set_plan_id(record.plan_id);
  message.set_summary(record.summary);
  message.set_schedule(record.schedule);
  message.set_arch(record.arch);
  message.set_compile_us(record.compile_us);
  for (const ResourceUsage& usage : record.usage) {
    message.set_registers(std::max(message.registers(), usage.registers));
    message.set_spill_bytes(message.spill_bytes() + usage.spill_store_bytes + usage.spill_load_bytes);
  }
  message.set_verified(std::string(Name(record.verified)));
  message.set_log(record.log);
  return message;
}

v1::ListCacheResponse ToProto(const CachedCubins& cubins) {
  v1::ListCacheResponse message;
  for (const CachedCubin& cubin : cubins.cubins) *message.add_entries() = ToProto(cubin);
  message.set_total_entries(cubins.total_entries);
  message.set_total_bytes(cubins.total_bytes);
  return message;
}

v1::PurgeCacheResponse ToProto(const Purged& purged) {
  v1::PurgeCacheResponse message;
  message.set_disk_entries(purged.disk_entries);
  message.set_disk_bytes(purged.disk_bytes);
  message.set_memory_kernels(purged.memory_kernels);
  return message;
}

v1::Stats ToProto(const CacheStats& stats) {
  v1::Stats message;
  v1::CompilerCounters& compiler = *message.mutable_compiler();
  compiler.set_compiles(stats.engine.compiler.compiles);
  compiler.set_failures(stats.engine.compiler.failures);
  compiler.set_compile_us(stats.engine.compiler.compile_us);
  compiler.set_rejected_candidates(stats.engine.rejected_candidates);
  v1::MemoryTier& memory = *message.mutable_memory();
  memory.set_kernels(stats.engine.memory.kernels);
  memory.set_bytes(stats.engine.memory.bytes);
  memory.set_max_bytes(stats.engine.memory.max_bytes);
  memory.set_hits(stats.engine.memory_hits);
  memory.set_joined(stats.engine.joined_flights);
  memory.set_evicted(stats.engine.memory.evicted);
  v1::DiskTier& disk = *message.mutable_disk();
  disk.set_entries(stats.disk_entries);
  disk.set_bytes(stats.disk_bytes);
  disk.set_max_bytes(stats.disk_max_bytes);
  disk.set_hits(stats.disk.hits);
  disk.set_misses(stats.disk.misses);
  disk.set_quarantined(stats.disk.quarantined);
  disk.set_evicted(stats.disk.evicted);
  disk.set_errors(stats.disk.errors);
  return message;
}

absl::StatusOr<PurgeSelection> FromProto(const v1::PurgeCacheRequest& request, absl::Time now) {
  switch (request.selection_case()) {
    case v1::PurgeCacheRequest::kCubinKey:
      if (request.cubin_key().empty()) return InvalidArgument("cubin_key: empty; all entries are purged by all");
      return PurgeKey{request.cubin_key()};
    case v1::PurgeCacheRequest::kUnusedForSeconds:
      if (request.unused_for_seconds() < 0) {
        return InvalidArgument("unused_for_seconds: {}, expected 0 or more", request.unused_for_seconds());
      }
      return PurgeUnusedSince{now - absl::Seconds(request.unused_for_seconds())};
    case v1::PurgeCacheRequest::kAll:
      if (!request.all()) return InvalidArgument("all: false, expected true");
      return PurgeAll{};
    case v1::PurgeCacheRequest::SELECTION_NOT_SET:
      break;
  }
  return InvalidArgument("selection: nothing, expected cubin_key, unused_for_seconds or all");
}

absl::StatusOr<std::size_t> LimitFromProto(std::int32_t limit) {
  if (limit < 0) return InvalidArgument("limit: {}, expected 0 or more", limit);
  return limit == 0 ? kDefaultLimit : static_cast<std::size_t>(limit);
}

}  // namespace gemmd
