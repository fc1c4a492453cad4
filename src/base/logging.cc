#include "base/logging.h"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ostream_sink.h>

#include <array>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/time/time.h"

namespace gemmd {
namespace {

struct LevelRow {
  LogLevel level;
  std::string_view name;
  spdlog::level::level_enum theirs;
};
constexpr std::array kLevels = {
    LevelRow{LogLevel::kDebug, "debug", spdlog::level::debug},
    LevelRow{LogLevel::kInfo, "info", spdlog::level::info},
    LevelRow{LogLevel::kWarning, "warning", spdlog::level::warn},
    LevelRow{LogLevel::kError, "error", spdlog::level::err},
};

const LevelRow& Row(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

// spdlog's patterns do not escape what they print, so JSON needs a formatter of its own.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& record, spdlog::memory_buf_t& line) override {
    const auto view = [](spdlog::string_view_t text) { return std::string(text.data(), text.size()); };
    nlohmann::ordered_json object;
    object["time"] = absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromChrono(record.time), absl::UTCTimeZone());
    object["level"] = view(spdlog::level::to_string_view(record.level));
    object["logger"] = view(record.logger_name);
    object["message"] = view(record.payload);
    const std::string text = object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    line.append(text.data(), text.data() + text.size());
    line.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

std::unique_ptr<spdlog::formatter> MakeFormatter(LogFormat format) {
  switch (format) {
    case LogFormat::kText:
      return std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v",
                                                         spdlog::pattern_time_type::utc);
    case LogFormat::kJson:
      return std::make_unique<JsonFormatter>();
  }
  return nullptr;
}

}  // namespace

std::string_view Name(LogLevel level) { return Row(level).name; }

std::optional<LogLevel> LogLevelFromName(std::string_view name) {
  for (const LevelRow& row : kLevels) {
    if (row.name == name) return row.level;
  }
  return std::nullopt;
}

std::string_view Name(LogFormat format) {
  switch (format) {
    case LogFormat::kText:
      return "text";
    case LogFormat::kJson:
      return "json";
  }
  return "";
}

std::optional<LogFormat> LogFormatFromName(std::string_view name) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    if (Name(format) == name) return format;
  }
  return std::nullopt;
}

std::shared_ptr<spdlog::logger> MakeLogger(const std::string& name, LogLevel level, LogFormat format) {
  return MakeLoggerTo(std::cerr, name, level, format);
}

std::shared_ptr<spdlog::logger> MakeLoggerTo(std::ostream& stream, const std::string& name, LogLevel level,
                                             LogFormat format) {
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(stream, /*force_flush=*/true);
  sink->set_formatter(MakeFormatter(format));
  auto logger = std::make_shared<spdlog::logger>(name, std::move(sink));
  SetLevel(*logger, level);
  return logger;
}

void SetLevel(spdlog::logger& logger, LogLevel level) { logger.set_level(Row(level).theirs); }

}  // namespace gemmd
