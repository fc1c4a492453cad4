// A bounded set of compile workers, lent to one call at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/call_channel.h"
#include "base/fair_queue.h"
#include "base/process.h"

namespace gemmd {

struct CompileWorker {
  ChildProcess process;
  std::unique_ptr<CallChannel> channel;
  std::string identity;  // of its compiler
};

struct WorkerPoolStats {
  int idle = 0;
  FairQueueStats queue;      // of calls, for a worker to come free
  std::int64_t started = 0;  // well
  std::int64_t ended = 0;    // died, or were discarded
};

// Thread-safe. Must outlive its leases.
class WorkerPool {
 public:
  // Makes a worker that is ready for calls. Runs with no lock held, on the thread that acquires.
  using Starter = std::function<absl::StatusOr<std::unique_ptr<CompileWorker>>(absl::Time deadline)>;

  // A worker in exclusive use. Gives it back at the end, unless it was discarded.
  class Lease {
   public:
    Lease(Lease&& other) noexcept = default;
    ~Lease() {
      if (worker_ != nullptr) pool_->Release(std::move(worker_));
    }
    CompileWorker& worker() { return *worker_; }
    // Takes the worker out of the pool: it is killed when the result goes.
    std::unique_ptr<CompileWorker> Discard();

   private:
    friend class WorkerPool;
    Lease(WorkerPool* pool, FairQueue::Place place, std::unique_ptr<CompileWorker> worker)
        : place_(std::move(place)), pool_(pool), worker_(std::move(worker)) {}
    FairQueue::Place place_;
    WorkerPool* pool_;
    std::unique_ptr<CompileWorker> worker_;  // null: it was discarded, or did not start
  };

  // At most `max_waiting` calls wait for one of `workers`.
  WorkerPool(int workers, int max_waiting, Starter starter);
  ~WorkerPool();

  // An idle worker, or a new one while there are fewer than `workers`, or the next to come free.
  // Errors: DeadlineExceeded (all are busy), ResourceExhausted (and too many wait), the starter's.
  absl::StatusOr<Lease> Acquire(absl::Time deadline);

  WorkerPoolStats stats() const;

 private:
  struct State;
  void Release(std::unique_ptr<CompileWorker> worker);

  std::unique_ptr<State> state_;
};

}  // namespace gemmd
