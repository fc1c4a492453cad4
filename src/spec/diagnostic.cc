#include "spec/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

constexpr std::size_t kMaxQuotedBytes = 64;
constexpr std::size_t kMaxMessageBytes = 4096;

// Edits that turn `a` into `b`: insertions, deletions, substitutions and swaps of neighbours (optimal string
// alignment).
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, substitution});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) current[j] = std::min(current[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, current);
  }
  return last[b.size()];
}

// The first candidate that `name` abbreviates.
std::string Completion(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr std::size_t kMinAbbreviation = 3;
  if (name.size() < kMinAbbreviation) return "";
  for (const std::string& candidate : candidates) {
    if (candidate.starts_with(name)) return candidate;
  }
  return "";
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string Render(const Diagnostic& diagnostic) {
  std::string line = diagnostic.found.empty()
                         ? fmt::format("{}: missing; expected {}", diagnostic.place, diagnostic.expected)
                         : fmt::format("{}: {} is not {}", diagnostic.place, diagnostic.found, diagnostic.expected);
  if (!diagnostic.suggestion.empty()) line += fmt::format("; did you mean \"{}\"?", diagnostic.suggestion);
  return line;
}

absl::Status ToStatus(const std::vector<Diagnostic>& diagnostics) {
  if (diagnostics.empty()) return absl::OkStatus();
  std::string message;
  for (std::size_t i = 0; i < diagnostics.size(); ++i) {
    const std::string line = Render(diagnostics[i]);
    if (i > 0 && message.size() + line.size() > kMaxMessageBytes) {
      message += fmt::format("\n… and {} more", diagnostics.size() - i);
      break;
    }
    if (i > 0) message += '\n';
    message += line;
  }
  const bool valid = std::all_of(diagnostics.begin(), diagnostics.end(),
                                 [](const Diagnostic& diagnostic) { return diagnostic.unimplemented; });
  return valid ? Unimplemented("{}", message) : InvalidArgument("{}", message);
}

std::string Nearest(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.empty() || name.size() > kMaxIdentifierBytes) return "";
  // At least one character must be right.
  const std::size_t limit = std::min(name.size() - 1, std::max<std::size_t>(1, name.size() / 3));
  std::size_t best_distance = limit + 1;
  std::string best;
  for (const std::string& candidate : candidates) {
    const std::size_t longer = std::max(name.size(), candidate.size());
    if (longer - std::min(name.size(), candidate.size()) >= best_distance) continue;
    const std::size_t distance = EditDistance(name, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best.empty() ? Completion(name, candidates) : best;
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text.substr(0, kMaxQuotedBytes)) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c >= ' ' && c <= '~') {
      quoted += c;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  quoted += text.size() > kMaxQuotedBytes ? "…\"" : "\"";
  return quoted;
}

std::string FieldPlace(std::string_view place, std::string_view field) {
  if (!IsIdentifier(field)) return fmt::format("{}[{}]", place, Quote(field));
  if (place == kWholeSpec) return std::string(field);
  return fmt::format("{}.{}", place, field);
}

std::string ElementPlace(std::string_view place, std::size_t index) { return fmt::format("{}[{}]", place, index); }

bool IsIdentifier(std::string_view text) {
  if (text.empty() || text.size() > kMaxIdentifierBytes || !IsLetter(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return IsLetter(c) || IsDigit(c); });
}

}  // namespace gemmd
