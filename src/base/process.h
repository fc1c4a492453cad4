// Worker processes: born by posix_spawn, never by a fork of a process that runs gRPC.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gemmd {

// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

struct SocketPair {
  UniqueFd parent, child;  // both close-on-exec
};
absl::StatusOr<SocketPair> MakeSocketPair();

// An anonymous shared memory file of `bytes` (memfd), close-on-exec.
absl::StatusOr<UniqueFd> MakeSharedMemory(const std::string& name, std::int64_t bytes);

// Owns a shared mapping of a whole file descriptor.
class SharedMapping {
 public:
  static absl::StatusOr<SharedMapping> Map(int fd, std::int64_t bytes);
  SharedMapping() = default;
  ~SharedMapping();
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;
  std::byte* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

// How a process ended: with an exit code, or by a signal.
struct ProcessEnd {
  int exit_code = 0;  // where no signal ended it
  int signal = 0;     // 0: it exited
};
std::string Describe(const ProcessEnd& end);  // "exited 3", "killed by SIGSEGV"

// A child process, killed (SIGKILL) and reaped when this is destroyed. A worker also dies with its parent, however the
// parent ended: that is its own doing (DieWithParent). It starts in a process group of its own, so that a terminal's
// Ctrl-C reaches the daemon alone, with no signal blocked or ignored.
class ChildProcess {
 public:
  struct Options {
    std::string executable;  // absolute path
    std::vector<std::string> arguments;
    // (our descriptor, its number in the child); all others stay closed. Standard streams are inherited.
    std::vector<std::pair<int, int>> descriptors;
  };
  // Errors: NotFound (no such executable), ResourceExhausted, Internal.
  static absl::StatusOr<ChildProcess> Spawn(const Options& options);
  ChildProcess() = default;
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  pid_t pid() const { return pid_; }
  void Kill(int signal);
  // Waits for its end. Errors: DeadlineExceeded.
  absl::StatusOr<ProcessEnd> Wait(absl::Time deadline);

 private:
  pid_t pid_ = -1;
};

// For a worker's main: starts a thread that ends this process (_exit) when the parent process is gone. A parent that
// went before this call is seen as the end of the worker's channel. PR_SET_PDEATHSIG would not do: it fires when the
// parent's *thread* that spawned the worker ends.
void DieWithParent();

// The directory of the running executable; workers and data are found beside it.
absl::StatusOr<std::string> ExecutableDirectory();

}  // namespace gemmd
