#include "compile/ptxas_report.h"

#include <charconv>
#include <optional>

namespace gemmd {
namespace {

// Calls `visit` with every line of `text`.
template <typename Visit>
void ForEachLine(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    visit(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

// What `line` has between `before` and `after`.
std::optional<std::string_view> Between(std::string_view line, std::string_view before, std::string_view after) {
  const std::size_t start = line.find(before);
  if (start == std::string_view::npos) return std::nullopt;
  line.remove_prefix(start + before.size());
  const std::size_t end = line.find(after);
  if (end == std::string_view::npos) return std::nullopt;
  return line.substr(0, end);
}

// The number right before `unit`: 868 in "512 bytes stack frame, 868 bytes spill stores". 0 when there is none.
std::int64_t NumberBefore(std::string_view line, std::string_view unit) {
  const std::size_t end = line.find(unit);
  if (end == std::string_view::npos) return 0;
  std::size_t start = end;
  while (start > 0 && line[start - 1] >= '0' && line[start - 1] <= '9') --start;
  std::int64_t number = 0;
  std::from_chars(line.data() + start, line.data() + end, number);
  return number;
}

}  // namespace

std::vector<ResourceUsage> ParsePtxasReport(std::string_view log) {
  std::vector<ResourceUsage> entries;
  ForEachLine(log, [&](std::string_view line) {
    if (!line.starts_with("ptxas")) return;
    if (const auto entry = Between(line, "Compiling entry function '", "'")) {
      entries.emplace_back().entry = *entry;
      return;
    }
    if (entries.empty()) return;
    ResourceUsage& usage = entries.back();
    usage.spill_store_bytes += NumberBefore(line, " bytes spill stores");
    usage.spill_load_bytes += NumberBefore(line, " bytes spill loads");
    if (line.find(": Used ") != std::string_view::npos) {
      usage.registers = static_cast<int>(NumberBefore(line, " registers"));
      usage.static_shared_bytes = NumberBefore(line, " bytes smem");
    }
  });
  return entries;
}

std::vector<std::string> PerformanceWarnings(std::string_view log) {
  std::vector<std::string> warnings;
  ForEachLine(log, [&](std::string_view line) {
    if (line.starts_with("ptxas") && line.find("(C75") != std::string_view::npos) warnings.emplace_back(line);
  });
  return warnings;
}

}  // namespace gemmd
