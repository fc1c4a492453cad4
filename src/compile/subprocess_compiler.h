// Compiling in worker processes: a compile that hangs, crashes or eats memory costs one worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/worker_log.h"
#include "compile/compiler.h"
#include "compile/worker_pool.h"

namespace gemmd {

class SubprocessCompiler final : public Compiler {
 public:
  struct Options {
    std::string worker_executable;  // gemmd_compile_worker, absolute
    std::vector<std::string> nvrtc_directories;
    int workers = 2;                                          // at most; each compiles one source at a time
    int max_waiting = 256;                                    // compiles, for a worker
    std::int64_t memory_limit_bytes = std::int64_t{8} << 30;  // of address space a worker
    WorkerLog log = {};
  };
  explicit SubprocessCompiler(Options options);
  ~SubprocessCompiler() override;

  // Starts every worker now rather than at its first compile. Errors: Identity's, DeadlineExceeded.
  absl::Status Prewarm(absl::Time deadline) const;

  // A worker that misses the deadline or dies is killed and replaced for the next call. Further errors: Unavailable (a
  // worker died, or its NVRTC is another build than the first one's), ResourceExhausted (too many compiles wait).
  absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time deadline) const override;
  absl::StatusOr<std::string> Identity() const override;
  // What Identity gives where that is known by now, else nothing. Waits for no worker.
  std::string KnownIdentity() const;
  WorkerPoolStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gemmd
