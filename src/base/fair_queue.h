// A bounded number of places, and a bounded wait for one that is fair between those who wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gemmd {

struct FairQueueStats {
  int places = 0, max_waiting = 0;
  int taken = 0, waiting = 0;
  std::int64_t refused = 0;  // found the queue full
};

// Thread-safe. Must outlive its places.
class FairQueue {
 public:
  // A place that is taken. Gives it back at the end.
  class Place {
   public:
    Place(Place&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), taken_at_(other.taken_at_) {}
    ~Place() {
      if (queue_ != nullptr) queue_->Leave(taken_at_);
    }

   private:
    friend class FairQueue;
    explicit Place(FairQueue* queue);
    FairQueue* queue_;
    absl::Time taken_at_;
  };

  // `name` is what a refusal calls it: "launches on cuda:0".
  FairQueue(std::string name, int places, int max_waiting);
  ~FairQueue();

  // A place, at once or in turn: clients that wait take turns, and each one's calls go in the order they came.
  // Errors: ResourceExhausted (`max_waiting` wait already; RetryAfterOf has when a place may be free),
  // DeadlineExceeded.
  absl::StatusOr<Place> Enter(std::string_view client, absl::Time deadline);

  // What Enter would answer if it had to wait: OK while it may.
  absl::Status CheckRoom();

  FairQueueStats stats() const;

 private:
  struct State;
  void Leave(absl::Time taken_at);

  std::unique_ptr<State> state_;
};

}  // namespace gemmd
