// Which calls a worker owes an answer, and whether one of them takes too long.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace gemmd {

// A launch counts from when the device could begin it, which runs `slots` at once in the order in which they came. Any
// other call counts from the worker's last answer to anything: it may wait for launches that run, one after the other.
// Thread-safe.
class CallWatch {
 public:
  using Clock = std::chrono::steady_clock;
  using Kernel = std::shared_ptr<const std::string>;  // the plan_id of a launch; null for another call

  explicit CallWatch(Clock::duration limit) : limit_(limit) {}
  // How many launches run at once; 1 until it is known.
  void SetSlots(int slots);

  // A call was sent; returns its name here, never 0.
  std::uint64_t Begin(Kernel kernel, Clock::time_point now);
  // It was answered.
  void End(std::uint64_t call, Clock::time_point now);

  struct Overdue {
    std::uint64_t call = 0;
    Kernel kernel;
  };
  std::optional<Overdue> FindOverdue(Clock::time_point now) const;
  // Before then no call is overdue, also none that begins after `now`.
  Clock::time_point NextExpiry(Clock::time_point now) const;
  // The plan_ids of the launches that run, each once.
  std::vector<std::string> Running() const;

 private:
  struct Launch {
    std::uint64_t call = 0;
    Kernel kernel;
    Clock::time_point since;  // of one that runs
  };
  std::size_t RunningCount() const;

  const Clock::duration limit_;
  mutable std::mutex mutex_;
  std::size_t slots_ = 1;
  std::uint64_t last_call_ = 0;
  std::vector<Launch> launches_;                       // in the order in which they came
  std::map<std::uint64_t, Clock::time_point> others_;  // since when they wait
  Clock::time_point last_answer_{};
};

}  // namespace gemmd
