#include "runtime/slot_pool.h"

#include <condition_variable>
#include <list>
#include <mutex>
#include <set>
#include <utility>

#include "base/deadline.h"
#include "base/status.h"

namespace gemmd {

struct SlotPool::State {
  struct Waiter {
    std::condition_variable granted;
    bool has_slot = false;
    std::size_t slot = 0;
  };

  std::mutex mutex;
  std::set<std::size_t> free;
  std::list<Waiter*> waiters;  // not empty only while `free` is
  std::string what;
};

SlotPool::Lease& SlotPool::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Release();
    state_ = std::move(other.state_);
    slot_ = other.slot_;
  }
  return *this;
}

void SlotPool::Lease::Release() {
  if (state_ == nullptr) return;
  const std::shared_ptr<State> state = std::move(state_);
  const std::lock_guard lock(state->mutex);
  if (state->waiters.empty()) {
    state->free.insert(slot_);
    return;
  }
  State::Waiter* next = state->waiters.front();
  state->waiters.pop_front();
  next->has_slot = true;
  next->slot = slot_;
  next->granted.notify_one();
}

SlotPool::SlotPool(std::size_t slots, std::string what) : state_(std::make_shared<State>()) {
  for (std::size_t slot = 0; slot < slots; ++slot) state_->free.insert(slot);
  state_->what = std::move(what);
}

absl::StatusOr<SlotPool::Lease> SlotPool::Acquire(absl::Time deadline) {
  std::unique_lock lock(state_->mutex);
  if (!state_->free.empty()) {
    const std::size_t slot = *state_->free.begin();
    state_->free.erase(state_->free.begin());
    return Lease(state_, slot);
  }
  State::Waiter waiter;
  state_->waiters.push_back(&waiter);
  if (!WaitUntil(waiter.granted, lock, deadline, [&] { return waiter.has_slot; })) {
    state_->waiters.remove(&waiter);
    return DeadlineExceeded("no {} became free in time", state_->what);
  }
  return Lease(state_, waiter.slot);
}

}  // namespace gemmd
