#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"

extern char** environ;

namespace gemmd {
namespace {

constexpr int kFirstDescriptor = 3;  // after the standard streams

// The C structs of posix_spawn, which need an end.
struct FileActions {
  posix_spawn_file_actions_t value;
  FileActions() { posix_spawn_file_actions_init(&value); }
  ~FileActions() { posix_spawn_file_actions_destroy(&value); }
};
struct Attributes {
  posix_spawnattr_t value;
  Attributes() { posix_spawnattr_init(&value); }
  ~Attributes() { posix_spawnattr_destroy(&value); }
};

// Default signals, none blocked, a process group of its own. Returns an errno.
int SetAttributes(posix_spawnattr_t* attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &all);
  posix_spawnattr_setpgroup(attributes, 0);
  return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

// Puts each source at its target and closes everything else but the standard streams. Sources go through copies above
// every target, so that no target overwrites a source still to come and no source equals its target (dup2 would then
// leave it close-on-exec). The copies must live until the spawn.
absl::StatusOr<std::vector<UniqueFd>> AddDescriptors(const std::vector<std::pair<int, int>>& descriptors,
                                                     posix_spawn_file_actions_t* actions) {
  int end = kFirstDescriptor;
  for (const auto& [source, target] : descriptors) end = std::max(end, target + 1);
  std::vector<UniqueFd> copies;
  for (const auto& [source, target] : descriptors) {
    copies.emplace_back(fcntl(source, F_DUPFD_CLOEXEC, end));
    if (!copies.back().valid()) return FromErrno(errno, fmt::format("copying descriptor {}", source));
    if (const int error = posix_spawn_file_actions_adddup2(actions, copies.back().get(), target); error != 0) {
      return FromErrno(error, fmt::format("descriptor {} as {}", source, target));
    }
  }
  for (int fd = kFirstDescriptor; fd < end; ++fd) {
    const bool is_target = std::any_of(descriptors.begin(), descriptors.end(),
                                       [fd](const auto& descriptor) { return descriptor.second == fd; });
    if (!is_target) posix_spawn_file_actions_addclose(actions, fd);
  }
  if (const int error = posix_spawn_file_actions_addclosefrom_np(actions, end); error != 0) {
    return FromErrno(error, "closing the other descriptors");
  }
  return copies;
}

ProcessEnd EndOf(int wait_status) {
  if (WIFEXITED(wait_status)) return {.exit_code = WEXITSTATUS(wait_status)};
  return {.signal = WTERMSIG(wait_status)};
}

// waitpid that is not interrupted. 0 with WNOHANG: still running; -1: not our child any more.
pid_t WaitFor(pid_t pid, int* wait_status, int flags) {
  pid_t ended = 0;
  do {
    ended = waitpid(pid, wait_status, flags);
  } while (ended < 0 && errno == EINTR);
  return ended;
}

}  // namespace

std::string Describe(const ProcessEnd& end) {
  if (end.signal == 0) return fmt::format("exited {}", end.exit_code);
  const char* name = sigabbrev_np(end.signal);
  return name == nullptr ? fmt::format("killed by signal {}", end.signal) : fmt::format("killed by SIG{}", name);
}

void UniqueFd::Reset() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

absl::StatusOr<SocketPair> MakeSocketPair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return FromErrno(errno, "socketpair");
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

absl::StatusOr<ChildProcess> ChildProcess::Spawn(const Options& options) {
  FileActions actions;
  Attributes attributes;
  GEMMD_ASSIGN_OR_RETURN(const std::vector<UniqueFd> copies, AddDescriptors(options.descriptors, &actions.value));
  if (const int error = SetAttributes(&attributes.value); error != 0) return FromErrno(error, "spawn attributes");

  std::vector<std::string> words = {options.executable};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  pid_t pid = -1;
  if (const int error =
          posix_spawn(&pid, options.executable.c_str(), &actions.value, &attributes.value, argv.data(), environ);
      error != 0) {
    return FromErrno(error, fmt::format("starting {}", options.executable));
  }
  ChildProcess child;
  child.pid_ = pid;
  return child;
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  Kill(SIGKILL);
  int wait_status = 0;
  WaitFor(pid_, &wait_status, 0);
}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

void ChildProcess::Kill(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

absl::StatusOr<ProcessEnd> ChildProcess::Wait(absl::Time deadline) {
  if (pid_ < 0) return Internal("waiting for a process that was never started or has been waited for");
  absl::Duration pause = absl::Microseconds(200);
  for (;;) {
    int wait_status = 0;
    const pid_t ended = WaitFor(pid_, &wait_status, WNOHANG);
    if (ended < 0) return FromErrno(errno, fmt::format("waiting for process {}", pid_));
    if (ended == pid_) {
      pid_ = -1;
      return EndOf(wait_status);
    }
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return DeadlineExceeded("process {} is still running", pid_);
    absl::SleepFor(std::min(pause, left));
    pause = std::min(2 * pause, absl::Milliseconds(10));
  }
}

void DieWithParent() {
  const pid_t parent = getppid();
  std::thread([parent] {
    // Where the kernel has no pidfd the descriptor is -1, which poll ignores: then this looks ten times a second.
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, parent, 0)));
    while (getppid() == parent) {
      pollfd ended = {pidfd.get(), POLLIN, 0};
      poll(&ended, 1, pidfd.valid() ? 10'000 : 100);
    }
    _exit(1);
  }).detach();
}

absl::StatusOr<std::string> ExecutableDirectory() {
  std::error_code error;
  const std::filesystem::path executable = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return FromErrno(error.value(), "reading /proc/self/exe");
  return executable.parent_path().string();
}

}  // namespace gemmd
