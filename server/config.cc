#include "server/config.h"

#include <sys/un.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::int64_t kMinCacheBytes = std::int64_t{1} << 20;

// Collects what is wrong, so that a user mends all of it at once.
class Complaints {
 public:
  void Add(std::string_view flag, std::string_view found, std::string_view expected) {
    lines_ += fmt::format("{}{}: found {}, expected {}", lines_.empty() ? "" : "\n", flag, found, expected);
  }
  void CheckAtLeast(std::string_view flag, std::int64_t value, std::int64_t least) {
    if (value < least) Add(flag, std::to_string(value), fmt::format("at least {}", least));
  }
  absl::Status status() const {
    return lines_.empty() ? absl::OkStatus() : absl::Status(absl::StatusCode::kInvalidArgument, lines_);
  }

 private:
  std::string lines_;
};

std::optional<int> NumberUpTo(std::string_view text, int most) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > most) return std::nullopt;
  return value;
}

std::optional<ListenAddress> ReadAddress(const std::string& text) {
  if (text.starts_with(kUnixPrefix)) {
    const std::string path = text.substr(kUnixPrefix.size());
    if (path.empty() || path.front() != '/' || path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
    return ListenAddress{.text = text, .socket = path};
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || !NumberUpTo(std::string_view(text).substr(colon + 1), 65535)) {
    return std::nullopt;
  }
  return ListenAddress{.text = text, .socket = {}};
}

// False for what is no device.
bool AddDevice(std::string_view id, DeviceChoice& choice) {
  constexpr std::string_view kCuda = "cuda:";
  if (id == "auto") return choice.all = true;
  if (id == "host") return choice.host = true;
  const auto ordinal = id.starts_with(kCuda) ? NumberUpTo(id.substr(kCuda.size()), 1023) : std::nullopt;
  if (ordinal) choice.cuda_ordinals.push_back(*ordinal);
  return ordinal.has_value();
}

std::optional<LogFormat> LogFormatFromName(std::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return std::nullopt;
}

// Copies what needs no translation.
DaemonConfig PlainFields(const DaemonOptions& options) {
  DaemonConfig config;
  config.cache_directory = options.cache_directory;
  config.cache_bytes = options.cache_bytes;
  config.memory_cache_bytes = options.memory_cache_bytes;
  config.nvrtc_directories = options.nvrtc_directories;
  config.worker_directory = options.worker_directory;
  config.slots = options.slots;
  config.compile_workers = options.compile_workers;
  config.staging_bytes = options.staging_bytes;
  config.call_threads = options.call_threads;
  config.drain = absl::Milliseconds(options.drain_ms);
  return config;
}

void CheckNumbers(const DaemonOptions& options, Complaints& complaints) {
  complaints.CheckAtLeast("--cache-bytes", options.cache_bytes, kMinCacheBytes);
  complaints.CheckAtLeast("--memory-cache-bytes", options.memory_cache_bytes, 0);
  complaints.CheckAtLeast("--slots", options.slots, 1);
  complaints.CheckAtLeast("--compile-workers", options.compile_workers, 1);
  complaints.CheckAtLeast("--staging-bytes", options.staging_bytes, kMinCacheBytes);
  complaints.CheckAtLeast("--call-threads", options.call_threads, 8);
  complaints.CheckAtLeast("--drain-ms", options.drain_ms, 0);
}

}  // namespace

absl::StatusOr<DaemonConfig> MakeConfig(const DaemonOptions& options) {
  Complaints complaints;
  DaemonConfig config = PlainFields(options);
  CheckNumbers(options, complaints);
  if (options.listen.empty()) complaints.Add("--listen", "nothing", "unix:/path or host:port");
  for (const std::string& text : options.listen) {
    if (const auto address = ReadAddress(text)) {
      config.listen.push_back(*address);
    } else {
      complaints.Add("--listen", text, "unix:/path (absolute, under 108 bytes) or host:port");
    }
  }
  if (!config.cache_directory.is_absolute()) {
    complaints.Add("--cache-dir", fmt::format("\"{}\"", options.cache_directory), "an absolute path");
  }
  const std::optional<Arch> arch = ArchFromName(options.default_arch);
  if (const auto limits = arch ? LimitsOf(*arch) : std::nullopt) {
    config.default_limits = *limits;
  } else {
    complaints.Add("--default-arch", options.default_arch, "an arch that gemmd knows, such as sm_90a");
  }
  for (const std::string& id : options.devices) {
    if (!AddDevice(id, config.devices)) complaints.Add("--device", id, "auto, host or cuda:N");
  }
  if (const auto level = LogLevelFromName(options.log_level)) {
    config.log_level = *level;
  } else {
    complaints.Add("--log-level", options.log_level, "debug, info, warning or error");
  }
  if (const auto format = LogFormatFromName(options.log_format)) {
    config.log_format = *format;
  } else {
    complaints.Add("--log-format", options.log_format, "text or json");
  }
  GEMMD_RETURN_IF_ERROR(complaints.status());
  return config;
}

}  // namespace gemmd
