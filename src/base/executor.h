// A bounded pool of threads with a bounded queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"

namespace gemmd {

// Thread-safe. A task must not throw.
class Executor {
 public:
  // Starts `threads` threads named `name` and a number (the kernel shows 15 characters). `queue_capacity` counts tasks
  // that wait, not those that run.
  Executor(const std::string& name, int threads, std::size_t queue_capacity);
  // Runs what is queued to its end, then joins.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Errors: ResourceExhausted (the queue is full; the task was dropped).
  absl::Status Submit(std::function<void()> task);

 private:
  void Work();

  const std::string name_;
  const std::size_t queue_capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool draining_ = false;
  std::vector<std::thread> threads_;
};

// Names the calling thread for ps, top and debuggers; longer names are cut to 15 characters.
void NameThisThread(const std::string& name);

}  // namespace gemmd
