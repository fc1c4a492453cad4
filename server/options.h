// What the daemon can be told: one table for the command line and the configuration file.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gemmd {

// What is wrong with one key of a configuration file.
struct FileComplaint {
  std::string key;
  std::string line;  // "gemmd.toml:3:9: slots: found …"
};

// As command line and configuration file give it: texts and numbers, unchecked.
struct DaemonOptions {
  std::vector<std::string> listen;  // "unix:/path", "host:port"
  std::string cache_directory;
  std::int64_t cache_bytes = std::int64_t{4} << 30;  // of the disk tier
  std::int64_t memory_cache_bytes = std::int64_t{256} << 20;
  std::string tuning_records;  // a file; empty: tuning.db in the cache directory
  std::string default_arch = "sm_90a";
  std::vector<std::string> nvrtc_directories;  // searched in order
  std::string worker_directory;                // holds the worker executables; no option
  std::vector<std::string> devices = {"auto"};
  std::int64_t slots = 8;  // launches in flight on one device
  std::int64_t compile_workers = 2;
  std::int64_t launch_queue = 256;                      // launches that wait for one device
  std::int64_t launch_timeout_ms = 120'000;             // a launch that takes longer hangs
  std::int64_t quarantine_faults = 3;                   // after so many a kernel is launched no more
  std::int64_t compile_queue = 256;                     // kernels that wait for a compile worker
  std::int64_t staging_bytes = std::int64_t{64} << 20;  // of one device's copies
  std::int64_t call_threads = 256;                      // at most so many calls are served at once
  std::int64_t drain_ms = 10'000;                       // how long calls in flight may take after SIGTERM
  std::string metrics_address;                          // "host:port" or "port"; empty: none
  std::string log_level = "info";
  std::string log_format = "text";

  // Where a configuration file set a key: "gemmd.toml:3:9", an entry for each element of a list.
  std::map<std::string, std::vector<std::string>, std::less<>> places;
  std::vector<FileComplaint> complaints;  // of that file
};

using OptionField = std::variant<std::string DaemonOptions::*, std::int64_t DaemonOptions::*,
                                 std::vector<std::string> DaemonOptions::*>;

struct DaemonOption {
  std::string_view key;  // in the file; on the command line it is FlagOf
  OptionField field;
  bool reloads = false;  // a running daemon takes a new value
  std::string_view help;
};

// In the order in which they are shown.
std::span<const DaemonOption> AllOptions();

// "cache_bytes" is "--cache-bytes" on the command line.
std::string FlagOf(std::string_view key);

// Copies the option's value, and where it came from.
void CopyOption(const DaemonOption& option, const DaemonOptions& from, DaemonOptions& to);
bool SameValue(const DaemonOption& option, const DaemonOptions& a, const DaemonOptions& b);

}  // namespace gemmd
