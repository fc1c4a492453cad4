// gemmd: the daemon. Flags in, signals in, everything else is Daemon's.
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "base/process.h"
#include "base/status.h"
#include "compile/nvrtc_library.h"
#include "server/config.h"
#include "server/daemon.h"

namespace gemmd {
namespace {

constexpr int kBadUsage = 2;
constexpr int kCannotStart = 1;

// Where a user's caches go (XDG Base Directory Specification); empty when the environment has no place.
std::string DefaultCacheDirectory() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && cache[0] == '/') {
    return std::string(cache) + "/gemmd";
  }
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::string() : std::string(home) + "/.cache/gemmd";
}

void AddOptions(CLI::App& app, DaemonOptions& options) {
  app.add_option("--listen", options.listen, "Address, repeatable: unix:/path or host:port")->required();
  app.add_option("--cache-dir", options.cache_directory, "Directory of compiled kernels")->capture_default_str();
  app.add_option("--cache-bytes", options.cache_bytes, "Bound of that directory")->capture_default_str();
  app.add_option("--memory-cache-bytes", options.memory_cache_bytes, "Bound of the kernels kept in memory")
      ->capture_default_str();
  app.add_option("--default-arch", options.default_arch, "What to compile for where there is no GPU")
      ->capture_default_str();
  app.add_option("--nvrtc-dir", options.nvrtc_directories, "Where NVRTC is, repeatable")->capture_default_str();
  app.add_option("--device", options.devices, "auto, host or cuda:N, repeatable")->capture_default_str();
  app.add_option("--slots", options.slots, "Launches in flight on one device")->capture_default_str();
  app.add_option("--compile-workers", options.compile_workers, "Compiles at once")->capture_default_str();
  app.add_option("--staging-bytes", options.staging_bytes, "Shared memory for one device's copies")
      ->capture_default_str();
  app.add_option("--call-threads", options.call_threads, "Calls served at once")->capture_default_str();
  app.add_option("--drain-ms", options.drain_ms, "How long calls may take after SIGTERM")->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")->capture_default_str();
  app.add_option("--log-format", options.log_format, "text or json")->capture_default_str();
  app.set_version_flag("--version", "gemmd " GEMMD_VERSION);
}

// Blocks the signals that end the daemon, in this thread and all that it starts; a worker starts with none blocked.
sigset_t BlockEndingSignals() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return ending;
}

int Serve(const DaemonConfig& config, const sigset_t& ending) {
  const std::shared_ptr<spdlog::logger> logger = MakeLogger("gemmd", config.log_level, config.log_format);
  spdlog::set_default_logger(logger);
  auto daemon = Daemon::Start(config, logger);
  if (!daemon.ok()) {
    logger->error("cannot start: {}", MessageOf(daemon.status()));
    return kCannotStart;
  }
  int signal_number = 0;
  sigwait(&ending, &signal_number);
  logger->info("caught signal {}", signal_number);
  if (!(*daemon)->Shutdown()) std::_Exit(0);  // files are whole or absent, and the workers end with this process
  return 0;
}

int Main(int argc, char** argv) {
  const sigset_t ending = BlockEndingSignals();
  umask(S_IRWXG | S_IRWXO);  // sockets and cache files are this user's
  const absl::StatusOr<std::string> home = ExecutableDirectory();
  if (!home.ok()) {
    std::cerr << MessageOf(home.status()) << '\n';
    return kCannotStart;
  }
  DaemonOptions options;
  options.cache_directory = DefaultCacheDirectory();
  options.nvrtc_directories = UsualNvrtcDirectories(*home);
  options.worker_directory = *home;
  CLI::App app("gemmd: compiles, caches and launches fused GPU kernels", "gemmd");
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // CLI11 speaks in exceptions; they end here
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  const absl::StatusOr<DaemonConfig> config = MakeConfig(options);
  if (!config.ok()) {
    std::cerr << MessageOf(config.status()) << '\n';
    return kBadUsage;
  }
  return Serve(*config, ending);
}

}  // namespace
}  // namespace gemmd

int main(int argc, char** argv) { return gemmd::Main(argc, argv); }
