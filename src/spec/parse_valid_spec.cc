#include <algorithm>

#include "spec/spec_json.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

// One place is the other or lies inside it; everything lies inside the whole spec.
bool Related(std::string_view a, std::string_view b) {
  if (a == kWholeSpec || b == kWholeSpec) return true;
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (b.size() == a.size() || b[a.size()] == '.' || b[a.size()] == '[');
}

// Beyond that many errors of the text its meaning says nothing new.
constexpr std::size_t kMaxErrorsBeforeMeaning = 256;

}  // namespace

std::vector<Diagnostic> AllDiagnostics(const ParsedSpec& parsed) {
  std::vector<Diagnostic> diagnostics = parsed.diagnostics;
  if (diagnostics.size() > kMaxErrorsBeforeMeaning) return diagnostics;
  // Where the text itself is wrong, what it means is not worth a second complaint.
  for (Diagnostic& diagnostic : Validate(parsed.spec)) {
    const bool follows = std::any_of(parsed.diagnostics.begin(), parsed.diagnostics.end(),
                                     [&](const Diagnostic& cause) { return Related(cause.place, diagnostic.place); });
    if (!follows) diagnostics.push_back(std::move(diagnostic));
  }
  return diagnostics;
}

absl::StatusOr<KernelSpec> ParseValidSpec(std::string_view text) {
  ParsedSpec parsed = ReadSpecJson(text);
  if (absl::Status status = ToStatus(AllDiagnostics(parsed)); !status.ok()) return status;
  return std::move(parsed.spec);
}

}  // namespace gemmd
