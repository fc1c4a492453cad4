#include "base/executor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace gemmd {

Executor::Executor(const std::string& name, int threads, std::size_t queue_capacity)
    : name_(name), queue_capacity_(queue_capacity) {
  threads_.reserve(static_cast<std::size_t>(std::max(threads, 1)));
  for (int i = 0; i < std::max(threads, 1); ++i) {
    threads_.emplace_back([this, i] {
      NameThisThread(fmt::format("{}-{}", name_, i));
      Work();
    });
  }
}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

absl::Status Executor::Submit(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_capacity_) {
      return ResourceExhausted("{}: {} tasks are waiting, the most it queues", name_, queue_.size());
    }
    queue_.push_back(std::move(task));
  }
  changed_.notify_one();
  return absl::OkStatus();
}

void Executor::Work() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return draining_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

void NameThisThread(const std::string& name) {
  constexpr std::size_t kLongest = 15;
  pthread_setname_np(pthread_self(), name.substr(0, kLongest).c_str());
}

}  // namespace gemmd
