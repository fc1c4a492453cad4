#include "runtime/call_watch.h"

#include <algorithm>
#include <utility>

namespace gemmd {

void CallWatch::SetSlots(int slots) {
  const std::lock_guard lock(mutex_);
  slots_ = static_cast<std::size_t>(std::max(slots, 1));
}

std::uint64_t CallWatch::Begin(Kernel kernel, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t call = ++last_call_;
  if (kernel == nullptr) {
    others_.emplace(call, now);
  } else {
    launches_.push_back({.call = call, .kernel = std::move(kernel), .since = now});
  }
  return call;
}

void CallWatch::End(std::uint64_t call, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  last_answer_ = now;
  if (others_.erase(call) > 0) return;
  const auto found =
      std::find_if(launches_.begin(), launches_.end(), [&](const Launch& at) { return at.call == call; });
  if (found == launches_.end()) return;
  const bool ran = static_cast<std::size_t>(found - launches_.begin()) < slots_;
  launches_.erase(found);
  if (ran && launches_.size() >= slots_) launches_[slots_ - 1].since = now;  // the next one's turn
}

std::size_t CallWatch::RunningCount() const { return std::min(slots_, launches_.size()); }

std::optional<CallWatch::Overdue> CallWatch::FindOverdue(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < RunningCount(); ++i) {
    if (now - launches_[i].since >= limit_) return Overdue{launches_[i].call, launches_[i].kernel};
  }
  for (const auto& [call, since] : others_) {
    if (now - std::max(since, last_answer_) >= limit_) return Overdue{.call = call, .kernel = nullptr};
  }
  return std::nullopt;
}

CallWatch::Clock::time_point CallWatch::NextExpiry(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  Clock::time_point first = now;
  for (std::size_t i = 0; i < RunningCount(); ++i) first = std::min(first, launches_[i].since);
  for (const auto& [call, since] : others_) first = std::min(first, std::max(since, last_answer_));
  return first + limit_;
}

std::vector<std::string> CallWatch::Running() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> plans;
  for (std::size_t i = 0; i < RunningCount(); ++i) {
    const std::string& plan = *launches_[i].kernel;
    if (std::find(plans.begin(), plans.end(), plan) == plans.end()) plans.push_back(plan);
  }
  return plans;
}

}  // namespace gemmd
