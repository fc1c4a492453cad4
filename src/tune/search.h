// The search for the fastest config: what is tried next, what is dropped, what may win. It compiles and measures
// through an interface, so that it knows neither a compiler nor a device.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plan/plan.h"

namespace gemmd {

// What makes candidates run. A candidate is named by its index, counted from 0 in the order of Start.
// Calls come from one thread.
class TuningBench {
 public:
  virtual ~TuningBench() = default;
  virtual absl::Time Now() const = 0;
  // Begins to make it ready, beside what is measured meanwhile.
  virtual void Start(std::size_t candidate, const KernelConfig& config) = 0;
  // Whether it is ready; nothing while it is on its way. Errors: why it can't run.
  virtual std::optional<absl::Status> Ready(std::size_t candidate) = 0;
  // Until one more of those on their way is ready or has failed, or until then.
  virtual void AwaitReady(absl::Time until) = 0;
  // Device times of so many launches with a cold L2, in nanoseconds: none of them is none. Errors: of the launch.
  virtual absl::StatusOr<std::vector<std::int64_t>> Measure(std::size_t candidate, int repeats) = 0;
  // OK if its results are right. Errors: how they are not.
  virtual absl::Status Verify(std::size_t candidate) = 0;
};

struct TriedCandidate {
  enum class State {
    kOnItsWay,  // not compiled, or not yet
    kRacing,
    kDropped,   // measured, and slower than others
    kRejected,  // it did not compile cleanly, did not run, or computed something else
  };
  KernelConfig config;
  State state = State::kOnItsWay;
  std::string rejection;  // why it was
  bool verified = false;  // its results are right
  int rounds = 0;         // it was measured in
  double time_ns = 0;     // median of its turns in the last of them; 0: it was not measured
  double spread = 0;      // of those turns: (longest - shortest) / median
};

struct SearchProgress {
  std::size_t tried = 0;     // measured or rejected
  std::size_t rejected = 0;  // of them
  std::size_t known = 0;     // candidates so far
  double first_pick_ns = 0;  // 0: not measured yet
  double best_ns = 0;        // of the fastest so far, verified or not
  KernelConfig best;
  absl::Duration left;  // of the budget
};

struct SearchOptions {
  absl::Duration budget = absl::Seconds(5);
  std::size_t opening = 16;  // configs of the ranking that are tried, at most
  // Configs around one that leads.
  std::function<std::vector<KernelConfig>(const KernelConfig&)> neighbours = nullptr;
  std::function<bool()> cancelled = nullptr;
  std::function<void(const SearchProgress&)> progress = nullptr;  // now and then
};

struct SearchOutcome {
  std::vector<TriedCandidate> candidates;  // the first pick is the first
  std::size_t best = 0;                    // verified; the first pick unless another is faster beyond the noise
  bool finished = false;                   // nothing was left to try: the budget was not the end
  const TriedCandidate& first_pick() const { return candidates.front(); }
  const TriedCandidate& winner() const { return candidates[best]; }
};

// Rounds of successive halving: every candidate in the race takes turns with the others, the slower half is dropped,
// and those that stay are measured more often. What leads is verified before anything follows from it; then the configs
// around it join the race. The first pick stays to the end. A round whose leaders can't be told apart for noise is
// followed by a longer one. The search ends when nothing is left to try, or with the budget, of which a twentieth is
// kept for the last verification and for a duel of the fastest with the first pick. A candidate that fails is rejected
// and the search goes on.
// `ranking`: the first pick and what comes after it; not empty.
// Errors: Cancelled; DeadlineExceeded (nothing was measured within the budget); Internal (no candidate runs and is
// right: with the first one's rejection).
absl::StatusOr<SearchOutcome> SearchConfigs(const std::vector<KernelConfig>& ranking, TuningBench& bench,
                                            const SearchOptions& options);

}  // namespace gemmd
