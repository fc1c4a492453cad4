#include "client/gemmctl/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/time/clock.h"

namespace gemmd {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr std::chrono::milliseconds kPeriod{250};
constexpr char kWipe[] = "\r\x1b[K";  // to the line's start, and clear it

}  // namespace

ProgressLine::ProgressLine(int fd, std::string label, absl::Duration at_most)
    : fd_(fd), label_(std::move(label)), at_most_(at_most) {
  if (isatty(fd) == 1) thread_ = std::thread([this] { Show(); });
}

ProgressLine::~ProgressLine() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

void ProgressLine::Show() {
  const absl::Time start = absl::Now();
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, kPatience, [this] { return done_; })) return;
  do {
    Write(fmt::format("{}{}: {} s of at most {} s", kWipe, label_, absl::ToInt64Seconds(absl::Now() - start),
                      absl::ToInt64Seconds(at_most_)));
  } while (!ended_.wait_for(lock, kPeriod, [this] { return done_; }));
  Write(kWipe);
}

// A terminal that takes nothing more has nobody to tell.
void ProgressLine::Write(const std::string& text) const {
  [[maybe_unused]] const ssize_t written = write(fd_, text.data(), text.size());
}

}  // namespace gemmd
