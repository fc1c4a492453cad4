#include "compile/worker_pool.h"

#include <algorithm>
#include <mutex>

#include "base/status.h"

namespace gemmd {

struct WorkerPool::State {
  State(int workers, int max_waiting, Starter starter_in)
      : starter(std::move(starter_in)), queue("compiles", workers, max_waiting) {}

  // A worker is gone: takes it out, unless a lease has it, or had it and let it go.
  void Bury(const CompileWorker* gone) {
    std::unique_ptr<CompileWorker> dead;  // reaped without the lock
    const std::lock_guard lock(mutex);
    const auto found = std::find_if(idle.begin(), idle.end(), [&](const auto& worker) { return worker.get() == gone; });
    if (found == idle.end()) return;
    dead = std::move(*found);
    idle.erase(found);
    ++ended;
  }

  const Starter starter;
  std::mutex mutex;
  std::int64_t started = 0, ended = 0;
  std::vector<std::unique_ptr<CompileWorker>> idle;  // the last used at the back
  FairQueue queue;
};

WorkerPool::WorkerPool(int workers, int max_waiting, Starter starter)
    : state_(std::make_unique<State>(workers, max_waiting, std::move(starter))) {}

WorkerPool::~WorkerPool() {
  std::vector<std::unique_ptr<CompileWorker>> idle;  // goes without the lock, which a worker's callback may wait for
  const std::lock_guard lock(state_->mutex);
  idle.swap(state_->idle);
}

absl::StatusOr<WorkerPool::Lease> WorkerPool::Acquire(absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(FairQueue::Place place, state_->queue.Enter("", deadline));
  std::unique_ptr<CompileWorker> worker;
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->idle.empty()) {
      worker = std::move(state_->idle.back());
      state_->idle.pop_back();
    }
  }
  Lease lease(this, std::move(place), std::move(worker));  // from here the place goes back, whatever happens
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
  return {.idle = static_cast<int>(state_->idle.size()),
          .queue = state_->queue.stats(),
          .started = state_->started,
          .ended = state_->ended};
}

void WorkerPool::Release(std::unique_ptr<CompileWorker> worker) {
  const std::lock_guard lock(state_->mutex);
  CompileWorker* const view = worker.get();
  state_->idle.push_back(std::move(worker));
  view->channel->OnBroken([state = state_.get(), view] { state->Bury(view); });
}

}  // namespace gemmd
