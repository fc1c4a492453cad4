#include "base/status.h"
#include "server/cache_convert.h"
#include "server/call_log.h"
#include "server/service.h"

namespace gemmd {
namespace {

absl::Status ListKernelsInto(const CacheInventory& inventory, const v1::ListKernelsRequest& request,
                             v1::ListKernelsResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const std::size_t limit, LimitFromProto(request.limit()));
  for (const HeldKernel& kernel : inventory.Kernels(limit)) *response.add_kernels() = ToProto(kernel);
  return absl::OkStatus();
}

absl::Status ListCacheInto(const CacheInventory& inventory, const v1::ListCacheRequest& request,
                           v1::ListCacheResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const std::size_t limit, LimitFromProto(request.limit()));
  response = ToProto(inventory.Cubins(request.key_prefix(), limit));
  return absl::OkStatus();
}

absl::Status PurgeInto(CacheInventory& inventory, const v1::PurgeCacheRequest& request,
                       v1::PurgeCacheResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const PurgeSelection selection, FromProto(request, absl::Now()));
  GEMMD_ASSIGN_OR_RETURN(const Purged purged, inventory.Purge(selection));
  response = ToProto(purged);
  return absl::OkStatus();
}

}  // namespace

grpc::Status GemmdService::ListKernels(grpc::ServerContext* context, const v1::ListKernelsRequest* request,
                                       v1::ListKernelsResponse* response) {
  CallRecord record(sinks_, "ListKernels", *context);
  return record.Finish(ListKernelsInto(*inventory_, *request, *response));
}

grpc::Status GemmdService::ListCache(grpc::ServerContext* context, const v1::ListCacheRequest* request,
                                     v1::ListCacheResponse* response) {
  CallRecord record(sinks_, "ListCache", *context);
  return record.Finish(ListCacheInto(*inventory_, *request, *response));
}

grpc::Status GemmdService::PurgeCache(grpc::ServerContext* context, const v1::PurgeCacheRequest* request,
                                      v1::PurgeCacheResponse* response) {
  CallRecord record(sinks_, "PurgeCache", *context);
  return record.Finish(PurgeInto(*inventory_, *request, *response));
}

grpc::Status GemmdService::GetStats(grpc::ServerContext* context, const v1::GetStatsRequest*, v1::Stats* response) {
  CallRecord record(sinks_, "GetStats", *context);
  *response = ToProto(inventory_->Stats());
  response->set_uptime_ms(absl::ToInt64Milliseconds(absl::Now() - started_));
  std::map<std::string, std::int64_t> loaded;
  for (const auto& [plan_id, devices] : kernels_->LoadedOn()) {
    for (const std::string& device : devices) ++loaded[device];
  }
  const std::map<std::string, LaunchCounts> launches = kernels_->Launches();
  for (const DeviceInfo& info : devices_->List()) {
    v1::DeviceCounters& device = *response->add_devices();
    device.set_id(info.id);
    device.set_launches(launches.contains(info.id) ? launches.at(info.id).done : 0);
    device.set_loaded_kernels(loaded[info.id]);
  }
  return record.Finish(absl::OkStatus());
}

}  // namespace gemmd
