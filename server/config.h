// What a daemon is started with: checked once, then never doubted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/logging.h"
#include "server/options.h"
#include "spec/arch.h"

namespace gemmd {

struct ListenAddress {
  std::string text;              // as gRPC takes it
  std::filesystem::path socket;  // of a unix address; empty for TCP
};

// Where metrics and the status page are served.
struct MetricsAddress {
  std::string host;  // without the brackets of IPv6
  int port = 0;
};

// Which devices the daemon opens.
struct DeviceChoice {
  bool all = false;  // every GPU there is, and the host
  bool host = false;
  std::vector<int> cuda_ordinals;
};

struct DaemonConfig {
  std::vector<ListenAddress> listen;
  std::filesystem::path cache_directory;
  std::int64_t cache_bytes = 0;
  std::int64_t memory_cache_bytes = 0;
  std::filesystem::path tuning_records;
  DeviceLimits default_limits;
  std::vector<std::string> nvrtc_directories;
  std::filesystem::path worker_directory;
  DeviceChoice devices;
  int slots = 0;
  int compile_workers = 0;
  int launch_queue = 0;
  absl::Duration launch_timeout;
  int quarantine_faults = 0;
  int compile_queue = 0;
  std::int64_t staging_bytes = 0;
  int call_threads = 0;
  absl::Duration drain;
  std::optional<MetricsAddress> metrics;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

// Errors: InvalidArgument with every wrong option, a line each: by its flag, or by its key and its place in the file
// that set it.
absl::StatusOr<DaemonConfig> MakeConfig(const DaemonOptions& options);

}  // namespace gemmd
