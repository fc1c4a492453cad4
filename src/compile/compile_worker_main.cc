// gemmd_compile_worker: NVRTC in a process that may be killed. Serves calls on descriptor 3 until the parent closes it.
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "base/call_channel.h"
#include "base/logging.h"
#include "base/process.h"
#include "base/status.h"
#include "compile/compile_protocol.h"
#include "compile/compile_worker_exit.h"
#include "compile/nvrtc_compiler.h"
#include "kernels_src/embedded.h"

namespace gemmd {
namespace {

constexpr int kChannelDescriptor = 3;

// Sanitizers reserve terabytes of address space, which no limit would leave them.
#ifdef GEMMD_SANITIZED
constexpr bool kCanLimitMemory = false;
#else
constexpr bool kCanLimitMemory = true;
#endif

absl::Status LimitResources(std::int64_t memory_limit_bytes) {
  const rlimit no_core = {0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) return FromErrno(errno, "limiting core files");
  if (memory_limit_bytes <= 0 || !kCanLimitMemory) return absl::OkStatus();
  const auto limit_bytes = static_cast<rlim_t>(memory_limit_bytes);
  const rlimit memory = {limit_bytes, limit_bytes};
  if (setrlimit(RLIMIT_AS, &memory) != 0) return FromErrno(errno, "limiting memory");
  std::set_new_handler([] { _exit(kOutOfMemoryExit); });
  return absl::OkStatus();
}

// Loads NVRTC at the first call that finds it: one that is installed later is found without a new worker.
class LazyCompiler {
 public:
  explicit LazyCompiler(std::vector<std::string> directories) : directories_(std::move(directories)) {}

  absl::StatusOr<const Compiler*> Get() {
    if (!compiler_) {
      GEMMD_ASSIGN_OR_RETURN(NvrtcLibrary library, LoadNvrtc(directories_));
      compiler_.emplace(std::move(library), DeviceLibrary());
    }
    return &*compiler_;
  }

 private:
  const std::vector<std::string> directories_;
  std::optional<NvrtcCompiler> compiler_;
};

int Main(int argc, char** argv) {
  std::vector<std::string> directories;
  std::int64_t memory_limit_bytes = 0;
  CLI::App app("Compiles generated CUDA C++ for gemmd, which starts it; not for use by hand.");
  app.add_option("--nvrtc-dir", directories, "a directory that may hold NVRTC; repeat to add more");
  app.add_option("--memory-limit-bytes", memory_limit_bytes, "address space that this process may take; 0: no limit");
  std::string log_level(Name(LogLevel::kInfo)), log_format(Name(LogFormat::kText));
  app.add_option("--log-level", log_level, "debug, info, warning or error");
  app.add_option("--log-format", log_format, "text or json");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_default_logger(MakeLogger("compile-worker", LogLevelFromName(log_level).value_or(LogLevel::kInfo),
                                        LogFormatFromName(log_format).value_or(LogFormat::kText)));

  DieWithParent();
  KeepFreedMemory();
  if (!LimitResources(memory_limit_bytes).ok()) return 1;
  LazyCompiler compiler(std::move(directories));
  const absl::Status end = ServeCalls(kChannelDescriptor, /*threads=*/1, [&compiler](const std::string& call) {
    return AnswerCompileCall(compiler.Get(), call);
  });
  return end.ok() ? 0 : 1;
}

}  // namespace
}  // namespace gemmd

int main(int argc, char** argv) { return gemmd::Main(argc, argv); }
