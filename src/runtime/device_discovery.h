// What GPUs there are, without loading CUDA into this process.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gemmd {

struct DiscoveredGpus {
  int count = 0;
  std::string reason;  // why there are none: "no CUDA driver: libcuda.so.1: cannot open …"
};

// Asks a short-lived device worker. Errors: NotFound (no such executable), DeadlineExceeded, DataLoss (no answer).
absl::StatusOr<DiscoveredGpus> DiscoverGpus(const std::string& worker_executable, absl::Time deadline);

// What the worker writes, and how it is read. Errors: DataLoss.
std::string DiscoveryToText(const DiscoveredGpus& gpus);
absl::StatusOr<DiscoveredGpus> DiscoveryFromText(const std::string& text);

}  // namespace gemmd
