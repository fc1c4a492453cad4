// A sign of life on a terminal.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "client/reports.h"

namespace gemmd {

// While it lives, and once it has lived for a second, keeps a line such as "run: 3 s of at most 300 s" on a terminal;
// wipes it in the end. Silent where `fd` is no terminal.
class ProgressLine {
 public:
  // `fd` stays open as long as this lives.
  ProgressLine(int fd, std::string label, absl::Duration at_most);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

 private:
  void Show();
  void Write(const std::string& text) const;

  const int fd_;
  const std::string label_;
  const absl::Duration at_most_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::thread thread_;
};

// How far a search is, in a line of a terminal: "tune [####------] 12 of 40 tried, best 51.4 us, first pick 60.2 us,
// 3.1 s left"; wiped in the end. Silent where `fd` is no terminal.
class TuneBar {
 public:
  // `fd` stays open as long as this lives.
  TuneBar(int fd, absl::Duration budget);
  ~TuneBar();
  TuneBar(const TuneBar&) = delete;
  TuneBar& operator=(const TuneBar&) = delete;

  void Show(const TuneProgressReport& progress);

 private:
  const int fd_;
  const bool shown_;
  const absl::Duration budget_;
};
std::string TuneBarText(const TuneProgressReport& progress, absl::Duration budget);

}  // namespace gemmd
