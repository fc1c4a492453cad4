// What a daemon is started with: checked once, then never doubted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/logging.h"
#include "spec/arch.h"

namespace gemmd {

// As the command line gives it: texts and numbers, unchecked.
struct DaemonOptions {
  std::vector<std::string> listen;  // "unix:/path", "host:port"
  std::string cache_directory;
  std::int64_t cache_bytes = std::int64_t{4} << 30;  // of the disk tier
  std::int64_t memory_cache_bytes = std::int64_t{256} << 20;
  std::string default_arch = "sm_90a";
  std::vector<std::string> nvrtc_directories;  // searched in order
  std::string worker_directory;                // holds the worker executables
  std::vector<std::string> devices = {"auto"};
  int slots = 8;  // launches in flight on one device
  int compile_workers = 2;
  std::int64_t staging_bytes = std::int64_t{64} << 20;  // of one device's copies
  int call_threads = 256;                               // at most so many calls are served at once
  int drain_ms = 10'000;                                // how long calls in flight may take after SIGTERM
  std::string log_level = "info";
  std::string log_format = "text";
};

struct ListenAddress {
  std::string text;              // as gRPC takes it
  std::filesystem::path socket;  // of a unix address; empty for TCP
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
  DeviceLimits default_limits;
  std::vector<std::string> nvrtc_directories;
  std::filesystem::path worker_directory;
  DeviceChoice devices;
  int slots = 0;
  int compile_workers = 0;
  std::int64_t staging_bytes = 0;
  int call_threads = 0;
  absl::Duration drain;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

// Errors: InvalidArgument with every wrong option, a line each, by its flag.
absl::StatusOr<DaemonConfig> MakeConfig(const DaemonOptions& options);

}  // namespace gemmd
