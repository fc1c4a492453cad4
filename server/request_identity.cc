#include "server/request_identity.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/random_id.h"

namespace gemmd {
namespace {

constexpr std::size_t kLongestRequestId = 128;
constexpr std::size_t kMadeIdBytes = 16;

bool IsRequestId(std::string_view text) {
  constexpr std::string_view kPunctuation = "-_.:/";
  return !text.empty() && text.size() <= kLongestRequestId && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kPunctuation.find(c) != std::string_view::npos;
  });
}

bool IsLowerHex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

// A field of hex digits that are not all 0.
bool IsId(std::string_view text) { return IsLowerHex(text) && text.find_first_not_of('0') != std::string_view::npos; }

// https://www.w3.org/TR/trace-context/#traceparent-header: version-trace-parent-flags. Version 00 ends there, later
// ones may go on after a hyphen, ff is none.
void TakeTraceparent(std::string_view text, RequestIdentity& identity) {
  constexpr std::size_t kTraceAt = 3, kTraceDigits = 32, kParentAt = 36, kParentDigits = 16, kFlagsAt = 53,
                        kLength = 55;
  if (text.size() < kLength || text[2] != '-' || text[kParentAt - 1] != '-' || text[kFlagsAt - 1] != '-') return;
  const std::string_view version = text.substr(0, 2);
  if (!IsLowerHex(version) || version == "ff" || !IsLowerHex(text.substr(kFlagsAt, 2))) return;
  if (text.size() > kLength && (version == "00" || text[kLength] != '-')) return;
  const std::string_view trace = text.substr(kTraceAt, kTraceDigits), parent = text.substr(kParentAt, kParentDigits);
  if (!IsId(trace) || !IsId(parent)) return;
  identity.trace_id = trace;
  identity.parent_id = parent;
}

}  // namespace

RequestIdentity MakeRequestIdentity(std::string_view request_id, std::string_view traceparent) {
  RequestIdentity identity;
  identity.request_id = IsRequestId(request_id) ? std::string(request_id) : RandomHex(kMadeIdBytes).value_or("none");
  TakeTraceparent(traceparent, identity);
  return identity;
}

}  // namespace gemmd
