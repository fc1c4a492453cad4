// Counts of durations in fixed ranges, as Prometheus has them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace gemmd {

// Thread-safe, without locks: a snapshot may lack what is recorded meanwhile, never contradict itself.
class DurationHistogram {
 public:
  // The upper ends of the ranges, inclusive; one more range takes what is longer.
  static constexpr std::array kBoundsSeconds = {1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2,
                                                1e-1, 3e-1, 1.0,  3.0,  10.0, 30.0, 100.0};

  struct Snapshot {
    std::array<std::int64_t, kBoundsSeconds.size() + 1> counts{};  // of each range by itself
    double sum_seconds = 0;
    std::int64_t total() const {
      std::int64_t sum = 0;
      for (const std::int64_t count : counts) sum += count;
      return sum;
    }
  };

  void Record(absl::Duration duration) {
    const double seconds = absl::ToDoubleSeconds(duration);
    std::size_t range = 0;
    while (range < kBoundsSeconds.size() && seconds > kBoundsSeconds[range]) ++range;
    sum_ns_.fetch_add(absl::ToInt64Nanoseconds(duration), std::memory_order_relaxed);
    counts_[range].fetch_add(1, std::memory_order_relaxed);
  }

  Snapshot Take() const {
    Snapshot snapshot;
    for (std::size_t i = 0; i < counts_.size(); ++i) snapshot.counts[i] = counts_[i].load(std::memory_order_relaxed);
    snapshot.sum_seconds = static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) * 1e-9;
    return snapshot;
  }

 private:
  std::array<std::atomic<std::int64_t>, kBoundsSeconds.size() + 1> counts_{};
  std::atomic<std::int64_t> sum_ns_{0};
};

// Records how long a scope took, however it is left.
class ScopeTimer {
 public:
  explicit ScopeTimer(DurationHistogram& times) : times_(times) {}
  ~ScopeTimer() { times_.Record(absl::Now() - started_); }
  ScopeTimer(const ScopeTimer&) = delete;
  ScopeTimer& operator=(const ScopeTimer&) = delete;

 private:
  DurationHistogram& times_;
  const absl::Time started_ = absl::Now();
};

}  // namespace gemmd
