// Slots 0 … n-1 under leases: streams of a GPU, turns on the host, chunks of a staging area.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gemmd {

// Thread-safe. Waiters are served in the order in which they came.
class SlotPool {
  struct State;

 public:
  // One slot, given back when this is destroyed; may outlive the pool.
  class Lease {
   public:
    Lease() = default;
    ~Lease() { Release(); }
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    std::size_t slot() const { return slot_; }

   private:
    friend class SlotPool;
    Lease(std::shared_ptr<State> state, std::size_t slot) : state_(std::move(state)), slot_(slot) {}
    void Release();
    std::shared_ptr<State> state_;
    std::size_t slot_ = 0;
  };

  // `what` names a slot in errors: "a stream of cuda:0".
  SlotPool(std::size_t slots, std::string what);

  // The lowest free slot, as soon as there is one. Errors: DeadlineExceeded.
  absl::StatusOr<Lease> Acquire(absl::Time deadline);

 private:
  std::shared_ptr<State> state_;
};

}  // namespace gemmd
