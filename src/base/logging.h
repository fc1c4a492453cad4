// The one logger of a process, made by main and handed to whoever logs.
#pragma once

#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace gemmd {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
std::string_view Name(LogLevel level);  // "debug", "info", "warning", "error"
std::optional<LogLevel> LogLevelFromName(std::string_view name);

// kText is for people; kJson is an object a line, with the keys time (RFC 3339, UTC), level, logger and message.
enum class LogFormat { kText, kJson };
std::string_view Name(LogFormat format);  // "text", "json"
std::optional<LogFormat> LogFormatFromName(std::string_view name);

// Writes to standard error, a line at once. Thread-safe. Include <spdlog/logger.h> to log.
std::shared_ptr<spdlog::logger> MakeLogger(const std::string& name, LogLevel level, LogFormat format);

// The same to `stream`, which must outlive the logger.
std::shared_ptr<spdlog::logger> MakeLoggerTo(std::ostream& stream, const std::string& name, LogLevel level,
                                             LogFormat format);

// Of a logger in use, at any time.
void SetLevel(spdlog::logger& logger, LogLevel level);

}  // namespace gemmd
