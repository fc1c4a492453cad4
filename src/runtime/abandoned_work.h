// Launches that outlived their deadline: nobody waits for them, but the GPU still uses what they hold.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cuda/context.h"
#include "runtime/stream_pool.h"

namespace gemmd {

// Holds each launch's stream and memory until its end event is done, or failed. Thread-safe.
class AbandonedWork {
 public:
  // `context` outlives this.
  explicit AbandonedWork(const PrimaryContext* context);
  ~AbandonedWork();

  // Requires the end event of the stream's slot to be recorded.
  void Adopt(StreamPool::Lease stream, std::vector<std::shared_ptr<const void>> held);

 private:
  struct Launch {
    StreamPool::Lease stream;
    std::vector<std::shared_ptr<const void>> held;
  };
  void Reap();

  const PrimaryContext* const context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Launch> launches_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gemmd
