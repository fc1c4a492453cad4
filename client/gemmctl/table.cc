#include "client/gemmctl/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace gemmd {
namespace {

constexpr std::size_t kShortIdDigits = 12;

}  // namespace

std::string Table(const Rows& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) text += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += row.back() + "\n";
  }
  return text;
}

std::string ShortId(const std::string& id) { return id.substr(0, kShortIdDigits); }

std::string Age(absl::Duration age) {
  const std::int64_t seconds = std::max<std::int64_t>(0, absl::ToInt64Seconds(age));
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 60 * 60) return fmt::format("{} min", seconds / 60);
  if (seconds < 2 * 24 * 60 * 60) return fmt::format("{} h", seconds / (60 * 60));
  return fmt::format("{} d", seconds / (24 * 60 * 60));
}

std::string Moment(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()); }

}  // namespace gemmd
