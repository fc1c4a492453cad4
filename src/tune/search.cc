#include "tune/search.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/status.h"

namespace gemmd {
namespace {

using State = TriedCandidate::State;

constexpr int kTurns = 3;         // of a candidate in a round
constexpr int kFirstRepeats = 2;  // launches of a turn
constexpr int kMostRepeats = 32, kDuelRepeats = 8;
constexpr int kMostRounds = 64;          // a bound on what noise may ask for
constexpr double kHopeless = 2;          // times the best: one turn is enough to see it
constexpr double kLeastGain = 0.005;     // the driver's events resolve half a microsecond, and clocks drift
constexpr int kReservedShare = 20;       // of the budget, for what comes after the race: one in so many
constexpr double kUnknownSpread = 0.05;  // of a round that the budget cut short
constexpr absl::Duration kReportEvery = absl::Milliseconds(200);  // while nothing is to be measured
constexpr double kTurnNs = 1e8;  // that a turn may take where it has more than one launch

double MedianOf(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

double MedianOf(const std::vector<std::int64_t>& values) {
  return MedianOf(std::vector<double>(values.begin(), values.end()));
}

// Whether `faster` is, beyond the noise of both.
bool IsClearlyFaster(const TriedCandidate& faster, const TriedCandidate& slower) {
  const double gain = 1 - faster.time_ns / slower.time_ns;
  return gain > std::max(kLeastGain, (faster.spread + slower.spread) / 2);
}

class Search {
 public:
  Search(TuningBench& bench, const SearchOptions& options)
      : bench_(bench),
        options_(options),
        end_(bench.Now() + options.budget),
        reserve_(options.budget / kReservedShare) {}

  absl::StatusOr<SearchOutcome> Run(const std::vector<KernelConfig>& ranking);

 private:
  enum class RoundEnd { kComplete, kOutOfTime };

  bool Cancelled() const { return options_.cancelled && options_.cancelled(); }
  bool OutOfTime() const { return bench_.Now() >= end_ - reserve_; }
  void Admit(const std::vector<KernelConfig>& configs, std::size_t limit);
  void CollectReady();
  void Reject(TriedCandidate& candidate, const absl::Status& why);
  std::vector<std::size_t> In(State state) const;
  std::vector<std::size_t> RacingByTime() const;
  bool IsWorthARound() const;
  RoundEnd Round();
  int RepeatsOf(const TriedCandidate& candidate) const;
  static void Score(TriedCandidate& candidate, const std::vector<double>& turns);
  void VerifyLeader();
  std::optional<std::size_t> Leader() const;
  void Halve();
  void Explore();
  bool Settled() const;
  void Report() const;
  void Duel(std::size_t best);
  absl::StatusOr<SearchOutcome> Conclude(bool finished);

  TuningBench& bench_;
  const SearchOptions& options_;
  const absl::Time end_;
  absl::Duration reserve_;  // of the budget, for what Conclude does
  std::vector<TriedCandidate> candidates_;
  std::vector<KernelConfig> explored_;  // whose neighbours were admitted
  int repeats_ = kFirstRepeats;
};

void Search::Admit(const std::vector<KernelConfig>& configs, std::size_t limit) {
  for (const KernelConfig& config : configs) {
    if (limit == 0) return;
    const auto same = [&](const TriedCandidate& other) { return other.config == config; };
    if (std::ranges::any_of(candidates_, same)) continue;
    candidates_.push_back({.config = config, .rejection = {}});
    bench_.Start(candidates_.size() - 1, config);
    --limit;
  }
}

void Search::CollectReady() {
  for (const std::size_t index : In(State::kOnItsWay)) {
    const std::optional<absl::Status> ready = bench_.Ready(index);
    if (!ready) continue;
    candidates_[index].state = State::kRacing;
    if (!ready->ok()) Reject(candidates_[index], *ready);
  }
}

void Search::Reject(TriedCandidate& candidate, const absl::Status& why) {
  candidate.state = State::kRejected;
  candidate.rejection = std::string(MessageOf(why));
}

std::vector<std::size_t> Search::In(State state) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (candidates_[i].state == state) found.push_back(i);
  }
  return found;
}

// Those that a round has measured to its end, the fastest first.
std::vector<std::size_t> Search::RacingByTime() const {
  std::vector<std::size_t> racing = In(State::kRacing);
  std::erase_if(racing, [&](std::size_t index) { return candidates_[index].rounds == 0; });
  std::ranges::stable_sort(racing, {}, [&](std::size_t index) { return candidates_[index].time_ns; });
  return racing;
}

// Whether there is anything to learn from one now.
bool Search::IsWorthARound() const {
  const std::vector<std::size_t> racing = In(State::kRacing);
  if (racing.empty() || candidates_.front().state == State::kOnItsWay) return false;
  return RacingByTime().size() < racing.size() || !Settled();
}

int Search::RepeatsOf(const TriedCandidate& candidate) const {
  if (candidate.time_ns <= 0) return kFirstRepeats;
  return static_cast<int>(std::clamp(kTurnNs / candidate.time_ns, 1.0, static_cast<double>(repeats_)));
}

void Search::Score(TriedCandidate& candidate, const std::vector<double>& turns) {
  const auto [shortest, longest] = std::ranges::minmax(turns);
  candidate.time_ns = MedianOf(turns);
  candidate.spread = candidate.time_ns > 0 ? (longest - shortest) / candidate.time_ns : 0;
  if (turns.size() < kTurns) candidate.spread = std::max(candidate.spread, kUnknownSpread);
  ++candidate.rounds;
}

// A round that ends early tells only of those that no other has measured: its turns were not the same for all.
Search::RoundEnd Search::Round() {
  const std::vector<std::size_t> entrants = In(State::kRacing);
  std::vector<std::vector<double>> turns(candidates_.size());
  RoundEnd end = RoundEnd::kComplete;
  double best = std::numeric_limits<double>::infinity();
  for (int turn = 0; turn < kTurns && end == RoundEnd::kComplete; ++turn) {
    for (const std::size_t index : entrants) {
      TriedCandidate& candidate = candidates_[index];
      if (candidate.state != State::kRacing) continue;
      if (Cancelled() || OutOfTime()) {
        end = RoundEnd::kOutOfTime;
        break;
      }
      const absl::StatusOr<std::vector<std::int64_t>> times = bench_.Measure(index, RepeatsOf(candidate));
      if (!times.ok()) {
        Reject(candidate, times.status());
        continue;
      }
      turns[index].push_back(MedianOf(*times));
      best = std::min(best, turns[index].back());
      // By its shortest launch: a single one may have been disturbed.
      if (index != 0 && static_cast<double>(std::ranges::min(*times)) > kHopeless * best) {
        candidate.state = State::kDropped;
        candidate.time_ns = turns[index].back();
      }
    }
    if (turn == 0) Report();
  }
  for (const std::size_t index : entrants) {
    TriedCandidate& candidate = candidates_[index];
    if (candidate.state != State::kRacing || turns[index].empty()) continue;
    if (end == RoundEnd::kComplete || candidate.rounds == 0) Score(candidate, turns[index]);
  }
  return end;
}

// Until the fastest of the race is a verified one.
void Search::VerifyLeader() {
  for (const std::size_t index : RacingByTime()) {
    TriedCandidate& candidate = candidates_[index];
    if (candidate.verified) return;
    const absl::Status right = bench_.Verify(index);
    candidate.verified = right.ok();
    if (right.ok()) return;
    Reject(candidate, right);
  }
}

std::optional<std::size_t> Search::Leader() const {
  for (const std::size_t index : RacingByTime()) {
    if (candidates_[index].verified) return index;
  }
  return std::nullopt;
}

void Search::Halve() {
  const std::vector<std::size_t> racing = RacingByTime();
  const std::size_t stay = std::max<std::size_t>(2, (racing.size() + 1) / 2);
  for (std::size_t place = stay; place < racing.size(); ++place) {
    if (racing[place] != 0) candidates_[racing[place]].state = State::kDropped;
  }
  repeats_ = std::min(2 * repeats_, kMostRepeats);
}

void Search::Explore() {
  constexpr std::size_t kMostNeighbours = 10;
  const std::optional<std::size_t> leader = Leader();
  if (!leader || !options_.neighbours) return;
  const KernelConfig config = candidates_[*leader].config;
  if (std::ranges::find(explored_, config) != explored_.end()) return;
  explored_.push_back(config);
  Admit(options_.neighbours(config), kMostNeighbours);
}

// Whether more turns would hardly tell more.
bool Search::Settled() const {
  const std::vector<std::size_t> racing = RacingByTime();
  if (racing.size() > 3) return false;
  if (repeats_ >= kMostRepeats) return true;
  return racing.size() < 2 || IsClearlyFaster(candidates_[racing[0]], candidates_[racing[1]]);
}

void Search::Report() const {
  if (!options_.progress) return;
  SearchProgress progress;
  progress.known = candidates_.size();
  progress.rejected = In(State::kRejected).size();
  progress.tried = progress.rejected + In(State::kDropped).size() + RacingByTime().size();
  progress.left = std::max(end_ - bench_.Now(), absl::ZeroDuration());
  progress.first_pick_ns = candidates_.front().time_ns;
  const std::vector<std::size_t> racing = RacingByTime();
  if (!racing.empty()) {
    progress.best_ns = candidates_[racing.front()].time_ns;
    progress.best = candidates_[racing.front()].config;
  }
  options_.progress(progress);
}

// The fastest of many is the luckiest, too: it and the first pick are measured once more, on their own.
void Search::Duel(std::size_t best) {
  for (const std::size_t index : In(State::kRacing)) {
    if (index != 0 && index != best) candidates_[index].state = State::kDropped;
  }
  reserve_ = absl::ZeroDuration();
  repeats_ = std::max(repeats_, kDuelRepeats);
  Round();
}

absl::StatusOr<SearchOutcome> Search::Conclude(bool finished) {
  VerifyLeader();
  std::optional<std::size_t> best = Leader();
  TriedCandidate& first = candidates_.front();
  if (best && *best != 0 && first.state == State::kRacing) {
    Duel(*best);
    VerifyLeader();
    best = Leader();
  }
  if (Cancelled()) return absl::CancelledError("the search was cancelled");
  // What is not clearly faster than the first pick may be slower. The first pick has to be right, too.
  if (best && *best != 0 && first.state == State::kRacing && first.rounds > 0 &&
      !IsClearlyFaster(candidates_[*best], first)) {
    if (!first.verified) {
      const absl::Status right = bench_.Verify(0);
      first.verified = right.ok();
      if (!right.ok()) Reject(first, right);
    }
    if (first.verified) best = 0;
  }
  Report();
  if (!best) {
    for (const TriedCandidate& candidate : candidates_) {
      if (candidate.state == State::kRejected)
        return Internal("no candidate runs and is right: {}", candidate.rejection);
    }
    return DeadlineExceeded("no candidate was measured within {}", absl::FormatDuration(options_.budget));
  }
  return SearchOutcome{.candidates = std::move(candidates_), .best = *best, .finished = finished};
}

absl::StatusOr<SearchOutcome> Search::Run(const std::vector<KernelConfig>& ranking) {
  Admit(ranking, std::max<std::size_t>(options_.opening, 1));
  bool finished = false;
  for (int round = 0; round < kMostRounds; ++round) {
    CollectReady();
    while (!Cancelled() && !OutOfTime() && !IsWorthARound() && !In(State::kOnItsWay).empty()) {
      Report();
      bench_.AwaitReady(std::min(bench_.Now() + kReportEvery, end_));
      CollectReady();
    }
    if (Cancelled()) return absl::CancelledError("the search was cancelled");
    finished = !OutOfTime() && !IsWorthARound();
    if (finished || OutOfTime() || Round() == RoundEnd::kOutOfTime) break;
    VerifyLeader();
    Report();
    Halve();
    Explore();
  }
  if (Cancelled()) return absl::CancelledError("the search was cancelled");
  return Conclude(finished);
}

}  // namespace

absl::StatusOr<SearchOutcome> SearchConfigs(const std::vector<KernelConfig>& ranking, TuningBench& bench,
                                            const SearchOptions& options) {
  return Search(bench, options).Run(ranking);
}

}  // namespace gemmd
