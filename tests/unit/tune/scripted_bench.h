// A bench whose clock and times are scripts.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tune/search.h"

namespace gemmd {

// A config that is told from others by its stages alone.
inline KernelConfig Numbered(int number) {
  KernelConfig config;
  config.stages = number;
  return config;
}

class ScriptedBench : public TuningBench {
 public:
  // What a candidate does, by its stages.
  struct Script {
    double time_us = 100;
    std::vector<double> noise = {1};  // factors of its measurements, in turns
    absl::Duration compile = absl::ZeroDuration();
    absl::Status compiled = absl::OkStatus(), measured = absl::OkStatus(), verified = absl::OkStatus();
  };

  Script& operator[](int number) { return scripts_[number]; }

  absl::Time Now() const override { return now_; }
  void Start(std::size_t, const KernelConfig& config) override {
    started_.push_back({config.stages, now_ + scripts_[config.stages].compile});
  }
  std::optional<absl::Status> Ready(std::size_t candidate) override {
    if (started_[candidate].ready_at > now_) return std::nullopt;
    return ScriptOf(candidate).compiled;
  }
  void AwaitReady(absl::Time until) override {
    absl::Time next = until;
    for (const Started& started : started_) {
      if (started.ready_at > now_) next = std::min(next, started.ready_at);
    }
    now_ = std::max(now_, next);
  }
  absl::StatusOr<std::vector<std::int64_t>> Measure(std::size_t candidate, int repeats) override {
    const Script& script = ScriptOf(candidate);
    const int call = ++measurements_[started_[candidate].number];
    if (!script.measured.ok()) return script.measured;
    const double time_us = script.time_us * script.noise[static_cast<std::size_t>(call) % script.noise.size()];
    now_ += absl::Microseconds(time_us) * repeats;
    launches_ += repeats;
    if (on_measure) on_measure();
    return std::vector<std::int64_t>(static_cast<std::size_t>(repeats), static_cast<std::int64_t>(time_us * 1000));
  }
  absl::Status Verify(std::size_t candidate) override {
    verified_.push_back(started_[candidate].number);
    return ScriptOf(candidate).verified;
  }

  // How often a candidate was measured.
  int measurements(int number) const {
    const auto found = measurements_.find(number);
    return found == measurements_.end() ? 0 : found->second;
  }
  int launches() const { return launches_; }
  std::size_t started() const { return started_.size(); }
  const std::vector<int>& verified() const { return verified_; }
  std::function<void()> on_measure;

 private:
  struct Started {
    int number = 0;
    absl::Time ready_at;
  };
  const Script& ScriptOf(std::size_t candidate) { return scripts_[started_[candidate].number]; }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::map<int, Script> scripts_;
  std::vector<Started> started_;
  std::map<int, int> measurements_;
  std::vector<int> verified_;
  int launches_ = 0;
};

}  // namespace gemmd
