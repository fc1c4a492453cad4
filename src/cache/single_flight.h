// One computation for all who ask for the same thing at the same time.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/deadline.h"
#include "base/status.h"

namespace gemmd {

// Joins concurrent calls of one key. Keeps no result: what is called after a flight has landed computes again. T is
// copied to every caller. Thread-safe; holds no lock while it computes.
template <typename T>
class SingleFlight {
 public:
  struct Landing {
    absl::StatusOr<T> result;
    bool joined = false;  // another call computed it
  };

  // Runs `compute`, or waits for the call that already runs one for this key. That call's failure is this call's too,
  // but for DeadlineExceeded and Cancelled: they were the other caller's own, so one of those who waited computes.
  // `compute` keeps the deadline itself. Errors: DeadlineExceeded (while waiting), compute's.
  Landing Do(const std::string& key, absl::Time deadline, const std::function<absl::StatusOr<T>()>& compute) {
    for (;;) {
      std::shared_ptr<Flight> flight;
      {
        const std::lock_guard lock(mutex_);
        std::shared_ptr<Flight>& slot = flights_[key];
        if (slot == nullptr) {
          slot = std::make_shared<Flight>();
        } else {
          flight = slot;
        }
      }
      if (flight == nullptr) return {Lead(key, compute), false};
      std::optional<absl::StatusOr<T>> result = flight->Wait(deadline);
      if (!result) return {DeadlineExceeded("waited for another call that computes the same"), true};
      if (!absl::IsDeadlineExceeded(result->status()) && !absl::IsCancelled(result->status())) {
        return {*std::move(result), true};
      }
    }
  }

 private:
  struct Flight {
    std::mutex mutex;
    std::condition_variable landed;
    std::optional<absl::StatusOr<T>> result;

    std::optional<absl::StatusOr<T>> Wait(absl::Time deadline) {
      std::unique_lock lock(mutex);
      if (!WaitUntil(landed, lock, deadline, [this] { return result.has_value(); })) return std::nullopt;
      return result;
    }
  };

  absl::StatusOr<T> Lead(const std::string& key, const std::function<absl::StatusOr<T>()>& compute) {
    absl::StatusOr<T> result = compute();
    std::shared_ptr<Flight> flight;
    {
      const std::lock_guard lock(mutex_);
      const auto found = flights_.find(key);
      flight = std::move(found->second);
      flights_.erase(found);
    }
    {
      const std::lock_guard lock(flight->mutex);
      flight->result = result;
    }
    flight->landed.notify_all();
    return result;
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace gemmd
