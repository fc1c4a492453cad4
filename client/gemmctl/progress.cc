#include "client/gemmctl/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"

namespace gemmd {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr std::chrono::milliseconds kPeriod{250};
constexpr char kWipe[] = "\r\x1b[K";  // to the line's start, and clear it

// A terminal that takes nothing more has nobody to tell.
void WriteTo(int fd, const std::string& text) {
  [[maybe_unused]] const ssize_t written = write(fd, text.data(), text.size());
}

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

void ProgressLine::Write(const std::string& text) const { WriteTo(fd_, text); }

std::string TuneBarText(const TuneProgressReport& progress, absl::Duration budget) {
  constexpr int kWidth = 20;
  const double left = absl::FDivDuration(absl::Milliseconds(progress.left_ms), budget);
  const int done = std::clamp(static_cast<int>(kWidth * (1 - left)), 0, kWidth);
  std::string text =
      fmt::format("tune [{}{}] {} of {} tried", std::string(static_cast<std::size_t>(done), '#'),
                  std::string(static_cast<std::size_t>(kWidth - done), '-'), progress.tried, progress.known);
  if (progress.best_us > 0) text += fmt::format(", best {:.1f} us", progress.best_us);
  if (progress.first_pick_us > 0) text += fmt::format(", first pick {:.1f} us", progress.first_pick_us);
  return text + fmt::format(", {:.1f} s left", static_cast<double>(progress.left_ms) / 1000);
}

TuneBar::TuneBar(int fd, absl::Duration budget) : fd_(fd), shown_(isatty(fd) == 1), budget_(budget) {}

TuneBar::~TuneBar() {
  if (shown_) WriteTo(fd_, kWipe);
}

void TuneBar::Show(const TuneProgressReport& progress) {
  if (shown_) WriteTo(fd_, kWipe + TuneBarText(progress, budget_));
}

}  // namespace gemmd
