#include "compile/subprocess_compiler.h"

#include <mutex>
#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"
#include "compile/compile_protocol.h"
#include "compile/compile_worker_exit.h"
#include "compile/worker_pool.h"

namespace gemmd {
namespace {

constexpr int kChannelDescriptor = 3;
constexpr absl::Duration kStartTimeout = absl::Seconds(60);  // NVRTC may come from a cold network disk

absl::StatusOr<std::unique_ptr<CompileWorker>> Spawn(const SubprocessCompiler::Options& options) {
  GEMMD_ASSIGN_OR_RETURN(SocketPair sockets, MakeSocketPair());
  ChildProcess::Options child;
  child.executable = options.worker_executable;
  child.arguments = {"--memory-limit-bytes", fmt::to_string(options.memory_limit_bytes),
                     "--log-level",          std::string(Name(options.log.level)),
                     "--log-format",         std::string(Name(options.log.format))};
  for (const std::string& directory : options.nvrtc_directories) {
    child.arguments.push_back("--nvrtc-dir");
    child.arguments.push_back(directory);
  }
  child.descriptors = {{sockets.child.get(), kChannelDescriptor}};
  auto worker = std::make_unique<CompileWorker>();
  absl::StatusOr<ChildProcess> process = ChildProcess::Spawn(child);
  if (!process.ok()) return Unavailable("no compile worker: {}", MessageOf(process.status()));
  worker->process = *std::move(process);
  worker->channel = std::make_unique<CallChannel>(std::move(sockets.parent));
  return worker;
}

// Why a call on `worker` failed, which is gone after this. A worker that met its memory limit says so by its exit code.
absl::Status Bury(std::unique_ptr<CompileWorker> worker, const absl::Status& call) {
  if (!absl::IsUnavailable(call)) return call;
  const absl::StatusOr<ProcessEnd> end = worker->process.Wait(absl::Now() + absl::Seconds(1));
  if (!end.ok()) return Unavailable("the compile worker closed its channel and was killed");
  if (end->signal == 0 && end->exit_code == kOutOfMemoryExit) {
    return ResourceExhausted("the compile worker met its memory limit");
  }
  return Unavailable("the compile worker died: {}", Describe(*end));
}

}  // namespace

struct SubprocessCompiler::State {
  explicit State(Options given)
      : options(std::move(given)),
        pool(options.workers, options.max_waiting, [this](absl::Time deadline) { return Start(deadline); }) {}

  // One call on a leased worker. A worker that failed to answer does not come back.
  absl::StatusOr<std::string> Call(WorkerPool::Lease& lease, std::string call, absl::Time deadline) {
    absl::StatusOr<std::string> answer = lease.worker().channel->Call(std::move(call), deadline);
    if (answer.ok()) return answer;
    return Bury(lease.Discard(), answer.status());
  }

  // A worker whose compiler is the one that earlier workers had.
  absl::StatusOr<std::unique_ptr<CompileWorker>> Start(absl::Time deadline) {
    GEMMD_ASSIGN_OR_RETURN(std::unique_ptr<CompileWorker> worker, Spawn(options));
    absl::StatusOr<std::string> answer = worker->channel->Call(EncodeIdentifyCall(), deadline);
    if (!answer.ok()) return Bury(std::move(worker), answer.status());
    GEMMD_ASSIGN_OR_RETURN(worker->identity, DecodeIdentifyAnswer(*answer));
    const std::lock_guard lock(mutex);
    if (identity.empty()) identity = worker->identity;
    if (identity != worker->identity) {
      return Unavailable("NVRTC changed under the running process, from \"{}\" to \"{}\": restart it", identity,
                         worker->identity);
    }
    return worker;
  }

  std::string KnownIdentity() {
    const std::lock_guard lock(mutex);
    return identity;
  }

  const Options options;
  std::mutex mutex;
  std::string identity;  // of the first worker's compiler; empty before
  WorkerPool pool;       // last: its workers go first
};

SubprocessCompiler::SubprocessCompiler(Options options) : state_(std::make_unique<State>(std::move(options))) {}
SubprocessCompiler::~SubprocessCompiler() = default;

std::string SubprocessCompiler::KnownIdentity() const { return state_->KnownIdentity(); }
WorkerPoolStats SubprocessCompiler::stats() const { return state_->pool.stats(); }

absl::Status SubprocessCompiler::Prewarm(absl::Time deadline) const {
  std::vector<WorkerPool::Lease> leases;  // held together, so that each is another worker
  for (int i = 0; i < state_->options.workers; ++i) {
    absl::StatusOr<WorkerPool::Lease> lease = state_->pool.Acquire(deadline);
    if (!lease.ok()) return lease.status();
    leases.push_back(*std::move(lease));
  }
  return absl::OkStatus();
}

absl::StatusOr<Cubin> SubprocessCompiler::Compile(const CompileRequest& request, absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(WorkerPool::Lease lease, state_->pool.Acquire(deadline));
  GEMMD_ASSIGN_OR_RETURN(const std::string answer, state_->Call(lease, EncodeCompileCall(request), deadline));
  absl::StatusOr<Cubin> cubin = DecodeCompileAnswer(answer);
  if (absl::IsResourceExhausted(cubin.status())) lease.Discard();  // a compiler out of memory is not asked again
  return cubin;
}

absl::StatusOr<std::string> SubprocessCompiler::Identity() const {
  if (std::string known = state_->KnownIdentity(); !known.empty()) return known;
  GEMMD_ASSIGN_OR_RETURN(WorkerPool::Lease lease, state_->pool.Acquire(absl::Now() + kStartTimeout));
  return lease.worker().identity;
}

}  // namespace gemmd
