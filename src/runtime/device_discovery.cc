#include "runtime/device_discovery.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/process.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr int kAnswerFd = 3;  // in the worker

// Everything until the other end closes.
absl::StatusOr<std::string> ReadToEnd(int fd, absl::Time deadline) {
  std::string text;
  std::array<char, 4096> bytes;
  for (;;) {
    const std::int64_t left_ms = std::clamp<std::int64_t>(absl::ToInt64Milliseconds(deadline - absl::Now()), 0, 60'000);
    pollfd event = {fd, POLLIN, 0};
    const int ready = poll(&event, 1, static_cast<int>(left_ms));
    if (ready == 0 && absl::Now() >= deadline) return DeadlineExceeded("the search for GPUs did not end in time");
    if (ready <= 0) continue;
    const ssize_t got = read(fd, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

std::string DiscoveryToText(const DiscoveredGpus& gpus) { return fmt::format("{}\n{}\n", gpus.count, gpus.reason); }

absl::StatusOr<DiscoveredGpus> DiscoveryFromText(const std::string& text) {
  DiscoveredGpus gpus;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, gpus.count);
  if (error != std::errc{} || gpus.count < 0 || rest == end || *rest != '\n' || text.back() != '\n') {
    return DataLoss("the search for GPUs answered \"{}\"", text);
  }
  const auto line_start = static_cast<std::size_t>(rest - text.data()) + 1;
  if (line_start < text.size()) gpus.reason = text.substr(line_start, text.size() - line_start - 1);
  return gpus;
}

absl::StatusOr<DiscoveredGpus> DiscoverGpus(const std::string& worker_executable, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(SocketPair sockets, MakeSocketPair());
  ChildProcess::Options options;
  options.executable = worker_executable;
  options.arguments = {"--list"};
  options.descriptors = {{sockets.child.get(), kAnswerFd}};
  GEMMD_ASSIGN_OR_RETURN(const ChildProcess child, ChildProcess::Spawn(options));
  sockets.child.Reset();
  GEMMD_ASSIGN_OR_RETURN(const std::string text, ReadToEnd(sockets.parent.get(), deadline));
  return DiscoveryFromText(text);
}

}  // namespace gemmd
