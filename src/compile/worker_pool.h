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
#include "base/process.h"

namespace gemmd {

struct CompileWorker {
  ChildProcess process;
  std::unique_ptr<CallChannel> channel;
  std::string identity;  // of its compiler
};

struct WorkerPoolStats {
  int workers = 0;           // at most
  int busy = 0, idle = 0;    // busy: lent, also while one starts
  int waiting = 0;           // calls, for a worker to come free
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
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), worker_(std::move(other.worker_)) {}
    ~Lease() {
      if (pool_ != nullptr) pool_->Release(std::move(worker_));
    }
    CompileWorker& worker() { return *worker_; }
    // Takes the worker out of the pool: it is killed when the result goes.
    std::unique_ptr<CompileWorker> Discard();

   private:
    friend class WorkerPool;
    Lease(WorkerPool* pool, std::unique_ptr<CompileWorker> worker) : pool_(pool), worker_(std::move(worker)) {}
    WorkerPool* pool_;
    std::unique_ptr<CompileWorker> worker_;
  };

  WorkerPool(int workers, Starter starter);
  ~WorkerPool();

  // An idle worker, or a new one while there are fewer than `workers`, or the next to come free.
  // Errors: DeadlineExceeded (all are busy), the starter's.
  absl::StatusOr<Lease> Acquire(absl::Time deadline);

  WorkerPoolStats stats() const;

 private:
  struct State;
  void Release(std::unique_ptr<CompileWorker> worker);  // null: it was discarded

  std::unique_ptr<State> state_;
};

}  // namespace gemmd
