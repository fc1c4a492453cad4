#include "server/call_journal.h"

namespace gemmd {
namespace {

constexpr std::size_t kKeptFailures = 20;

// Whether the daemon failed, rather than refused.
bool IsFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss || code == absl::StatusCode::kUnavailable;
}

}  // namespace

void CallJournal::Begin(std::string_view method) {
  const std::lock_guard lock(mutex_);
  auto found = methods_.find(method);
  if (found == methods_.end()) found = methods_.try_emplace(std::string(method)).first;
  ++found->second.in_flight;
}

void CallJournal::End(const EndedCall& call, absl::Duration elapsed) {
  const std::lock_guard lock(mutex_);
  Method& method = methods_.find(call.method)->second;
  --method.in_flight;
  ++method.ended[call.code];
  method.times.Record(elapsed);
  if (!IsFault(call.code)) return;
  failures_.push_front(call);
  if (failures_.size() > kKeptFailures) failures_.pop_back();
}

std::map<std::string, MethodCounts, std::less<>> CallJournal::Methods() const {
  std::map<std::string, MethodCounts, std::less<>> methods;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, method] : methods_) {
    methods[name] = {.ended = method.ended, .in_flight = method.in_flight, .times = method.times.Take()};
  }
  return methods;
}

std::vector<EndedCall> CallJournal::Failures() const {
  const std::lock_guard lock(mutex_);
  return {failures_.begin(), failures_.end()};
}

}  // namespace gemmd
