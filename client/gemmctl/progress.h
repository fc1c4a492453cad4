// A sign of life on a terminal.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "absl/time/time.h"

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

}  // namespace gemmd
