#include "daemon_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "absl/time/clock.h"

namespace gemmd {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr absl::Duration kStopTimeout = absl::Seconds(60);

}  // namespace

DaemonProcess::DaemonProcess() : client_(absl::UnavailableError("not started")) {
  const std::string address = "unix:" + (directory_.path() / "socket").string();
  auto process = ChildProcess::Spawn(
      {.executable = GEMMD_BINARY_DIR "/bin/gemmd",
       .arguments = {"--listen", address, "--cache-dir", (directory_.path() / "cache").string(), "--device", "host"},
       .descriptors = {}});
  if (!process.ok()) {
    ADD_FAILURE() << process.status();
    return;
  }
  process_ = *std::move(process);
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (!client_.ok() && absl::Now() < deadline) {
    client_ = Client::Connect(address, deadline);
    if (!client_.ok()) absl::SleepFor(absl::Milliseconds(50));
  }
  if (!client_.ok()) ADD_FAILURE() << client_.status();
}

DaemonProcess::~DaemonProcess() = default;

std::vector<pid_t> DaemonProcess::Children(const std::string& program) const {
  std::vector<pid_t> found;
  const std::string tasks = "/proc/" + std::to_string(process_.pid()) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::ifstream children(task.path() / "children");
    for (pid_t pid = 0; children >> pid;) {
      std::error_code gone;
      const auto executable = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone);
      if (!gone && executable.filename() == program) found.push_back(pid);
    }
  }
  return found;
}

std::string DaemonProcess::Stop() {
  process_.Kill(SIGTERM);
  const auto end = process_.Wait(absl::Now() + kStopTimeout);
  return end.ok() ? Describe(*end) : end.status().ToString();
}

}  // namespace gemmd
