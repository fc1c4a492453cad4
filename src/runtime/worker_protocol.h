// The values of runtime/device.h on the worker's wire, and back. Protobuf goes no further than the two ends of it.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gemmd/v1/worker.pb.h"
#include "runtime/device.h"

namespace gemmd {

v1::WorkerStatus StatusToWire(const absl::Status& status);
// A code that is not absl's becomes Unknown.
absl::Status StatusFromWire(const v1::WorkerStatus& wire);

v1::WorkerResponse::Device DeviceInfoToWire(const DeviceInfo& info);
// Errors: DataLoss.
absl::StatusOr<DeviceInfo> DeviceInfoFromWire(const v1::WorkerResponse::Device& wire);

v1::WorkerRequest::Load ImageToWire(const KernelImage& image);
// Errors: DataLoss.
absl::StatusOr<KernelImage> ImageFromWire(const v1::WorkerRequest::Load& wire);

v1::WorkerRequest::Launch LaunchToWire(const LaunchRequest& request);
LaunchRequest LaunchFromWire(const v1::WorkerRequest::Launch& wire);

// "launch"; empty for a request without one.
std::string KindName(const v1::WorkerRequest& request);

// Microseconds since 1970; 0 is never, so a deadline before 1970 is 1.
std::int64_t DeadlineToWire(absl::Time deadline);
absl::Time DeadlineFromWire(std::int64_t unix_us);

}  // namespace gemmd
