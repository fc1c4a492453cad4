// What the cache holds and what the daemon has done, as messages.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/cache_inventory.h"
#include "gemmd/v1/service.pb.h"

namespace gemmd {

v1::HeldKernel ToProto(const HeldKernel& kernel);
v1::CacheEntry ToProto(const CachedCubin& cubin);
v1::ListCacheResponse ToProto(const CachedCubins& cubins);
v1::PurgeCacheResponse ToProto(const Purged& purged);
// The tiers and the compiler; uptime and devices are left empty.
v1::Stats ToProto(const CacheStats& stats);

// `now` is when entries are judged. Errors: InvalidArgument (no selection, an empty key, a negative age).
absl::StatusOr<PurgeSelection> FromProto(const v1::PurgeCacheRequest& request, absl::Time now);
// How many entries a request's limit asks for. Errors: InvalidArgument (a negative one).
absl::StatusOr<std::size_t> LimitFromProto(std::int32_t limit);

}  // namespace gemmd
