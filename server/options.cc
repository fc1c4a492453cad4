#include "server/options.h"

#include <algorithm>
#include <array>

namespace gemmd {
namespace {

using Options = DaemonOptions;

constexpr std::array kOptions = {
    DaemonOption{"listen", &Options::listen, false, "Address, repeatable: unix:/path or host:port"},
    DaemonOption{"cache_dir", &Options::cache_directory, false, "Directory of compiled kernels"},
    DaemonOption{"cache_bytes", &Options::cache_bytes, false, "Bound of that directory"},
    DaemonOption{"memory_cache_bytes", &Options::memory_cache_bytes, false, "Bound of the kernels kept in memory"},
    DaemonOption{"tuning_records", &Options::tuning_records, false,
                 "File of what tuning found; default: tuning.db in the cache directory"},
    DaemonOption{"default_arch", &Options::default_arch, false, "What to compile for where there is no GPU"},
    DaemonOption{"nvrtc_dir", &Options::nvrtc_directories, false, "Where NVRTC is, repeatable"},
    DaemonOption{"device", &Options::devices, false, "auto, host or cuda:N, repeatable"},
    DaemonOption{"slots", &Options::slots, false, "Launches in flight on one device"},
    DaemonOption{"compile_workers", &Options::compile_workers, false, "Compiles at once"},
    DaemonOption{"launch_queue", &Options::launch_queue, false, "Launches that may wait for one device"},
    DaemonOption{"launch_timeout_ms", &Options::launch_timeout_ms, false,
                 "A launch that takes longer hangs: its device's worker is replaced"},
    DaemonOption{"quarantine_faults", &Options::quarantine_faults, false,
                 "A kernel that costs a device so many workers is launched no more; 0: never"},
    DaemonOption{"compile_queue", &Options::compile_queue, false, "Kernels that may wait for a compile worker"},
    DaemonOption{"staging_bytes", &Options::staging_bytes, false, "Shared memory for one device's copies"},
    DaemonOption{"call_threads", &Options::call_threads, false, "Calls served at once"},
    DaemonOption{"drain_ms", &Options::drain_ms, true, "How long calls may take after SIGTERM"},
    DaemonOption{"metrics_address", &Options::metrics_address, false,
                 "host:port of metrics and status page; of a port alone the host is 127.0.0.1"},
    DaemonOption{"log_level", &Options::log_level, true, "debug, info, warning or error"},
    DaemonOption{"log_format", &Options::log_format, false, "text or json"},
};

}  // namespace

std::span<const DaemonOption> AllOptions() { return kOptions; }

std::string FlagOf(std::string_view key) {
  std::string flag = "--" + std::string(key);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

void CopyOption(const DaemonOption& option, const DaemonOptions& from, DaemonOptions& to) {
  std::visit([&](auto field) { to.*field = from.*field; }, option.field);
  const auto place = from.places.find(option.key);
  if (place != from.places.end()) {
    to.places[place->first] = place->second;
  } else if (const auto old = to.places.find(option.key); old != to.places.end()) {
    to.places.erase(old);
  }
}

bool SameValue(const DaemonOption& option, const DaemonOptions& a, const DaemonOptions& b) {
  return std::visit([&](auto field) { return a.*field == b.*field; }, option.field);
}

}  // namespace gemmd
