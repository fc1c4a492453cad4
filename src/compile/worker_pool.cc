#include "compile/worker_pool.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/deadline.h"
#include "base/status.h"

namespace gemmd {

struct WorkerPool::State {
  int workers = 1;
  Starter starter;
  std::mutex mutex;
  std::condition_variable changed;
  int leased = 0, waiting = 0;
  std::int64_t started = 0, ended = 0;
  std::vector<std::unique_ptr<CompileWorker>> idle;  // the last used at the back
};

WorkerPool::WorkerPool(int workers, Starter starter) : state_(std::make_unique<State>()) {
  state_->workers = std::max(workers, 1);
  state_->starter = std::move(starter);
}
WorkerPool::~WorkerPool() = default;

absl::StatusOr<WorkerPool::Lease> WorkerPool::Acquire(absl::Time deadline) {
  std::unique_ptr<CompileWorker> worker;
  {
    std::unique_lock lock(state_->mutex);
    ++state_->waiting;
    const bool free = WaitUntil(state_->changed, lock, deadline, [this] { return state_->leased < state_->workers; });
    --state_->waiting;
    if (!free) {
      return DeadlineExceeded("all {} compile workers are busy", state_->workers);
    }
    ++state_->leased;
    if (!state_->idle.empty()) {
      worker = std::move(state_->idle.back());
      state_->idle.pop_back();
    }
  }
  Lease lease(this, std::move(worker));  // from here the slot goes back, whatever happens
  if (lease.worker_ != nullptr && !lease.worker_->channel->broken()) return lease;
  if (lease.worker_ != nullptr) lease.Discard();  // it died while idle
  GEMMD_ASSIGN_OR_RETURN(lease.worker_, state_->starter(deadline));
  const std::lock_guard lock(state_->mutex);
  ++state_->started;
  return lease;
}

std::unique_ptr<CompileWorker> WorkerPool::Lease::Discard() {
  {
    const std::lock_guard lock(pool_->state_->mutex);
    ++pool_->state_->ended;
  }
  return std::move(worker_);
}

WorkerPoolStats WorkerPool::stats() const {
  const std::lock_guard lock(state_->mutex);
  return {.workers = state_->workers,
          .busy = state_->leased,
          .idle = static_cast<int>(state_->idle.size()),
          .waiting = state_->waiting,
          .started = state_->started,
          .ended = state_->ended};
}

void WorkerPool::Release(std::unique_ptr<CompileWorker> worker) {
  {
    const std::lock_guard lock(state_->mutex);
    --state_->leased;
    if (worker != nullptr) state_->idle.push_back(std::move(worker));
  }
  state_->changed.notify_one();
}

}  // namespace gemmd
