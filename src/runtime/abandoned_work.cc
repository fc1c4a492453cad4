#include "runtime/abandoned_work.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/executor.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::chrono::milliseconds kPollInterval(1);

}  // namespace

AbandonedWork::AbandonedWork(const PrimaryContext* context) : context_(context), thread_([this] { Reap(); }) {}

AbandonedWork::~AbandonedWork() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void AbandonedWork::Adopt(StreamPool::Lease stream, std::vector<std::shared_ptr<const void>> held) {
  {
    const std::lock_guard lock(mutex_);
    launches_.push_back({std::move(stream), std::move(held)});
  }
  changed_.notify_all();
}

void AbandonedWork::Reap() {
  NameThisThread("abandoned-work");
  if (const absl::Status status = context_->MakeCurrent(); !status.ok()) spdlog::error("{}", MessageOf(status));
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait(lock, [this] { return stopping_ || !launches_.empty(); });
    const auto running = std::partition(launches_.begin(), launches_.end(), [](const Launch& launch) {
      const absl::StatusOr<bool> done = IsDone(launch.stream->end);
      return done.ok() && !*done;
    });
    std::vector<Launch> ended(std::make_move_iterator(running), std::make_move_iterator(launches_.end()));
    launches_.erase(running, launches_.end());
    lock.unlock();
    ended.clear();  // may free device memory, which blocks
    lock.lock();
    changed_.wait_for(lock, kPollInterval, [this] { return stopping_; });
  }
}

}  // namespace gemmd
