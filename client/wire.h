// Between the protobuf messages of gemmd/v1 and the client's plain values.
#pragma once

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/reports.h"
#include "gemmd/v1/service.pb.h"

namespace gemmd {

ValidationReport FromWire(v1::ValidateResponse&& response);
PlanReport FromWire(v1::PlanResponse&& response);
CompileReport FromWire(v1::CompileResponse&& response);
KernelReport FromWire(v1::Kernel&& response);
DevicesReport FromWire(v1::ListDevicesResponse&& response);
// Errors: DataLoss (a dtype this client does not know).
absl::StatusOr<RunReport> FromWire(v1::RunSummary&& summary);

std::vector<HeldKernelReport> FromWire(v1::ListKernelsResponse&& response);
CacheReport FromWire(v1::ListCacheResponse&& response);
std::vector<QuarantinedKernelReport> FromWire(v1::ListQuarantineResponse&& response);
StatsReport FromWire(v1::Stats&& stats);

ExplainReport FromWire(const v1::ExplainResponse& response);
TuneProgressReport FromWire(const v1::TuneProgress& progress);
// Errors: DataLoss (no candidates, or a best one that is none of them).
absl::StatusOr<TuneReport> FromWire(v1::TuneSummary&& summary);
RecordsReport FromWire(v1::ListRecordsResponse&& response);
KernelShape FromWire(const v1::PlannedKernel& kernel);

v1::PurgeCacheRequest ToWire(const CachePurge& purge);
v1::Target ToWire(const CompileTarget& target);
v1::RunHeader HeaderToWire(const RunCall& call);
v1::LaunchRequest ToWire(const LaunchCall& call);
v1::TuneRequest ToWire(const TuneCall& call);

}  // namespace gemmd
