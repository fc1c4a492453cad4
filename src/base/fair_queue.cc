#include "base/fair_queue.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>

#include "absl/time/clock.h"
#include "base/deadline.h"
#include "base/retry_after.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr absl::Duration kShortestRetry = absl::Milliseconds(10);
constexpr absl::Duration kLongestRetry = absl::Seconds(30);
constexpr double kNewestWeight = 0.1;  // of the last place's time in the mean

struct Waiter {
  std::condition_variable granted_changed;
  bool granted = false;
};

}  // namespace

struct FairQueue::State {
  State(std::string name_in, int places_in, int max_waiting_in)
      : name(std::move(name_in)), places(std::max(places_in, 1)), max_waiting(std::max(max_waiting_in, 0)) {}

  // Those of one client, in the order they came.
  struct Client {
    std::string name;
    std::deque<Waiter*> waiters;
  };

  std::list<Client>::iterator ClientOf(std::string_view client) {
    const auto found = std::find_if(turns.begin(), turns.end(), [&](const Client& c) { return c.name == client; });
    return found != turns.end() ? found : turns.insert(turns.end(), {std::string(client), {}});
  }

  // Gives a free place to the client whose turn it is. Requires the mutex.
  void GrantNext() {
    if (waiting == 0 || taken >= places) return;
    Client& client = turns.front();
    Waiter* const next = client.waiters.front();
    client.waiters.pop_front();
    if (client.waiters.empty()) {
      turns.pop_front();
    } else {
      turns.splice(turns.end(), turns, turns.begin());
    }
    --waiting;
    ++taken;
    next->granted = true;
    next->granted_changed.notify_one();
  }

  void Withdraw(std::string_view client, const Waiter* waiter) {
    const auto found = ClientOf(client);
    std::erase(found->waiters, waiter);
    if (found->waiters.empty()) turns.erase(found);
    --waiting;
  }

  // When those who wait now have had their places, going by how long places were held of late.
  absl::Status Refusal() const {
    const double rounds = static_cast<double>(waiting + 1) / places;
    const absl::Duration wait = std::clamp(absl::Seconds(mean_held_seconds * rounds), kShortestRetry, kLongestRetry);
    return WithRetryAfter(ResourceExhausted("{}: {} run and {} wait, the most it takes; retry in {} ms", name, taken,
                                            waiting, absl::ToInt64Milliseconds(wait)),
                          wait);
  }

  const std::string name;
  const int places, max_waiting;
  std::mutex mutex;
  std::list<Client> turns;  // clients that wait; the front is next
  int taken = 0, waiting = 0;
  std::int64_t refused = 0;
  double mean_held_seconds = 0;
};

FairQueue::Place::Place(FairQueue* queue) : queue_(queue), taken_at_(absl::Now()) {}

FairQueue::FairQueue(std::string name, int places, int max_waiting)
    : state_(std::make_unique<State>(std::move(name), places, max_waiting)) {}
FairQueue::~FairQueue() = default;

absl::StatusOr<FairQueue::Place> FairQueue::Enter(std::string_view client, absl::Time deadline) {
  std::unique_lock lock(state_->mutex);
  if (state_->taken < state_->places && state_->waiting == 0) {
    ++state_->taken;
    return Place(this);
  }
  if (state_->waiting >= state_->max_waiting) {
    ++state_->refused;
    return state_->Refusal();
  }
  Waiter waiter;
  state_->ClientOf(client)->waiters.push_back(&waiter);
  ++state_->waiting;
  if (!WaitUntil(waiter.granted_changed, lock, deadline, [&] { return waiter.granted; })) {
    state_->Withdraw(client, &waiter);
    return DeadlineExceeded("{}: all {} places are busy, and none came free in time", state_->name, state_->places);
  }
  return Place(this);
}

absl::Status FairQueue::CheckRoom() {
  const std::lock_guard lock(state_->mutex);
  if (state_->taken < state_->places || state_->waiting < state_->max_waiting) return absl::OkStatus();
  ++state_->refused;
  return state_->Refusal();
}

void FairQueue::Leave(absl::Time taken_at) {
  const double held_seconds = absl::ToDoubleSeconds(absl::Now() - taken_at);
  const std::lock_guard lock(state_->mutex);
  --state_->taken;
  state_->mean_held_seconds += kNewestWeight * (held_seconds - state_->mean_held_seconds);
  state_->GrantNext();
}

FairQueueStats FairQueue::stats() const {
  const std::lock_guard lock(state_->mutex);
  return {.places = state_->places,
          .max_waiting = state_->max_waiting,
          .taken = state_->taken,
          .waiting = state_->waiting,
          .refused = state_->refused};
}

}  // namespace gemmd
