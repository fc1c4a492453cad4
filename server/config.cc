#include "server/config.h"

#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::int64_t kMinCacheBytes = std::int64_t{1} << 20;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 50;
constexpr std::int64_t kDayMs = 24 * 3600 * 1000;

// Collects what is wrong, so that a user mends all of it at once.
class Complaints {
 public:
  explicit Complaints(const DaemonOptions& options) : options_(options) {
    for (const FileComplaint& complaint : options.complaints) AddLine(complaint.line);
  }

  // `element` counts in a list.
  void Add(std::string_view key, std::string_view found, std::string_view expected, std::size_t element = 0) {
    const auto unread = [&](const FileComplaint& complaint) { return complaint.key == key; };
    if (std::any_of(options_.complaints.begin(), options_.complaints.end(), unread)) return;
    AddLine(fmt::format("{}: found {}, expected {}", Subject(key, element), found, expected));
  }
  void CheckBetween(std::string_view key, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (value < least) Add(key, std::to_string(value), fmt::format("at least {}", least));
    if (value > most) Add(key, std::to_string(value), fmt::format("at most {}", most));
  }
  absl::Status status() const {
    return lines_.empty() ? absl::OkStatus() : absl::Status(absl::StatusCode::kInvalidArgument, lines_);
  }

 private:
  // What the user wrote it as: a flag, or a key somewhere in a file.
  std::string Subject(std::string_view key, std::size_t element) const {
    const auto found = options_.places.find(key);
    if (found == options_.places.end()) return FlagOf(key);
    const std::vector<std::string>& places = found->second;
    return element < places.size() ? fmt::format("{}: {}", places[element], key) : std::string(key);
  }
  void AddLine(std::string_view line) { lines_ += fmt::format("{}{}", lines_.empty() ? "" : "\n", line); }

  const DaemonOptions& options_;
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

// "9464" and ":9464" are for this machine alone.
std::optional<MetricsAddress> ReadMetricsAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto port = NumberUpTo(colon == std::string_view::npos ? text : text.substr(colon + 1), 65535);
  if (!port) return std::nullopt;
  std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return MetricsAddress{.host = std::string(host.empty() ? "127.0.0.1" : host), .port = *port};
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

// Copies what needs no translation.
DaemonConfig PlainFields(const DaemonOptions& options) {
  DaemonConfig config;
  config.cache_directory = options.cache_directory;
  config.cache_bytes = options.cache_bytes;
  config.memory_cache_bytes = options.memory_cache_bytes;
  config.tuning_records = options.tuning_records.empty() ? config.cache_directory / "tuning.db"
                                                         : std::filesystem::path(options.tuning_records);
  config.nvrtc_directories = options.nvrtc_directories;
  config.worker_directory = options.worker_directory;
  config.slots = static_cast<int>(options.slots);
  config.compile_workers = static_cast<int>(options.compile_workers);
  config.launch_queue = static_cast<int>(options.launch_queue);
  config.launch_timeout = absl::Milliseconds(options.launch_timeout_ms);
  config.quarantine_faults = static_cast<int>(options.quarantine_faults);
  config.compile_queue = static_cast<int>(options.compile_queue);
  config.staging_bytes = options.staging_bytes;
  config.call_threads = static_cast<int>(options.call_threads);
  config.drain = absl::Milliseconds(options.drain_ms);
  return config;
}

void CheckNumbers(const DaemonOptions& options, Complaints& complaints) {
  complaints.CheckBetween("cache_bytes", options.cache_bytes, kMinCacheBytes, kMostBytes);
  complaints.CheckBetween("memory_cache_bytes", options.memory_cache_bytes, 0, kMostBytes);
  complaints.CheckBetween("slots", options.slots, 1, 1024);
  complaints.CheckBetween("compile_workers", options.compile_workers, 1, 1024);
  complaints.CheckBetween("launch_queue", options.launch_queue, 0, 1 << 20);
  complaints.CheckBetween("launch_timeout_ms", options.launch_timeout_ms, 1, kDayMs);
  complaints.CheckBetween("quarantine_faults", options.quarantine_faults, 0, 1000);
  complaints.CheckBetween("compile_queue", options.compile_queue, 0, 1 << 20);
  complaints.CheckBetween("staging_bytes", options.staging_bytes, kMinCacheBytes, kMostBytes);
  complaints.CheckBetween("call_threads", options.call_threads, 8, 65536);
  complaints.CheckBetween("drain_ms", options.drain_ms, 0, kDayMs);
}

}  // namespace

absl::StatusOr<DaemonConfig> MakeConfig(const DaemonOptions& options) {
  Complaints complaints(options);
  DaemonConfig config = PlainFields(options);
  CheckNumbers(options, complaints);
  if (options.listen.empty()) complaints.Add("listen", "nothing", "unix:/path or host:port");
  for (std::size_t i = 0; i < options.listen.size(); ++i) {
    if (const auto address = ReadAddress(options.listen[i])) {
      config.listen.push_back(*address);
    } else {
      complaints.Add("listen", options.listen[i], "unix:/path (absolute, under 108 bytes) or host:port", i);
    }
  }
  if (!config.cache_directory.is_absolute()) {
    complaints.Add("cache_dir", fmt::format("\"{}\"", options.cache_directory), "an absolute path");
  }
  if (!options.tuning_records.empty() && !config.tuning_records.is_absolute()) {
    complaints.Add("tuning_records", fmt::format("\"{}\"", options.tuning_records), "an absolute path, or nothing");
  }
  const std::optional<Arch> arch = ArchFromName(options.default_arch);
  if (const auto limits = arch ? LimitsOf(*arch) : std::nullopt) {
    config.default_limits = *limits;
  } else {
    complaints.Add("default_arch", options.default_arch, "an arch that gemmd knows, such as sm_90a");
  }
  if (options.devices.empty()) complaints.Add("device", "nothing", "auto, host or cuda:N");
  for (std::size_t i = 0; i < options.devices.size(); ++i) {
    const std::string& id = options.devices[i];
    if (!AddDevice(id, config.devices)) complaints.Add("device", id, "auto, host or cuda:N", i);
  }
  if (!options.metrics_address.empty()) {
    config.metrics = ReadMetricsAddress(options.metrics_address);
    if (!config.metrics) complaints.Add("metrics_address", options.metrics_address, "host:port or a port");
  }
  if (const auto level = LogLevelFromName(options.log_level)) {
    config.log_level = *level;
  } else {
    complaints.Add("log_level", options.log_level, "debug, info, warning or error");
  }
  if (const auto format = LogFormatFromName(options.log_format)) {
    config.log_format = *format;
  } else {
    complaints.Add("log_format", options.log_format, "text or json");
  }
  GEMMD_RETURN_IF_ERROR(complaints.status());
  return config;
}

}  // namespace gemmd
