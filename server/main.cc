// gemmd: the daemon. Flags and a file in, signals in, everything else is Daemon's.
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <variant>

#include "base/process.h"
#include "base/status.h"
#include "compile/nvrtc_library.h"
#include "server/command_line.h"
#include "server/config.h"
#include "server/daemon.h"
#include "server/service_notify.h"

namespace gemmd {
namespace {

constexpr int kCannotStart = 1;

// Where a user's caches go (XDG Base Directory Specification); empty when the environment has no place.
std::string DefaultCacheDirectory() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && cache[0] == '/') {
    return std::string(cache) + "/gemmd";
  }
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::string() : std::string(home) + "/.cache/gemmd";
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Blocks the signals that the daemon waits for, in this thread and all that it starts; a worker starts with none
// blocked.
sigset_t BlockAwaitedSignals() {
  sigset_t awaited;
  sigemptyset(&awaited);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&awaited, number);
  pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return awaited;
}

// What the daemon runs with, and where it comes from.
struct Setup {
  CommandLine line;
  DaemonOptions defaults;
  DaemonOptions options;
  DaemonConfig config;
};

absl::StatusOr<Setup> MakeSetup(const CommandLine& line, const DaemonOptions& defaults) {
  Setup setup{.line = line, .defaults = defaults, .options = {}, .config = {}};
  GEMMD_ASSIGN_OR_RETURN(setup.options, GatherOptions(line, defaults));
  GEMMD_ASSIGN_OR_RETURN(setup.config, MakeConfig(setup.options));
  return setup;
}

// SIGHUP: reads the configuration file again. One that is wrong changes nothing.
void Reload(Setup& setup, Daemon& daemon, spdlog::logger& logger) {
  if (setup.line.config_file.empty()) {
    logger.info("reload: no --config to read again");
    return;
  }
  absl::StatusOr<Setup> fresh = MakeSetup(setup.line, setup.defaults);
  if (!fresh.ok()) {
    logger.error("reload: nothing changed: {}", MessageOf(fresh.status()));
    return;
  }
  std::vector<std::string_view> taken, left;
  for (const DaemonOption& option : AllOptions()) {
    if (SameValue(option, setup.options, fresh->options)) continue;
    (option.reloads ? taken : left).push_back(option.key);
    if (option.reloads) CopyOption(option, fresh->options, setup.options);
  }
  daemon.Reconfigure(fresh->config);
  logger.info("reload: {}: changed {}", setup.line.config_file,
              taken.empty() ? "nothing" : fmt::format("{}", fmt::join(taken, ", ")));
  if (!left.empty()) logger.warn("reload: needs a restart: {}", fmt::join(left, ", "));
}

int Serve(Setup setup, const sigset_t& awaited) {
  const std::shared_ptr<spdlog::logger> logger = MakeLogger("gemmd", setup.config.log_level, setup.config.log_format);
  spdlog::set_default_logger(logger);
  const ServiceNotify manager(Environment("NOTIFY_SOCKET"));
  auto daemon = Daemon::Start(setup.config, logger);
  if (!daemon.ok()) {
    logger->error("cannot start: {}", MessageOf(daemon.status()));
    return kCannotStart;
  }
  manager.Send("READY=1");
  for (int number = SIGHUP; number == SIGHUP;) {
    sigwait(&awaited, &number);
    logger->info("caught signal {}", number);
    if (number != SIGHUP) break;
    manager.SendReloading();
    Reload(setup, **daemon, *logger);
    manager.Send("READY=1");
  }
  manager.Send("STOPPING=1");
  if (!(*daemon)->Shutdown()) std::_Exit(0);  // files are whole or absent, and the workers end with this process
  return 0;
}

int Main(int argc, char** argv) {
  const sigset_t awaited = BlockAwaitedSignals();
  umask(S_IRWXG | S_IRWXO);  // sockets and cache files are this user's
  const absl::StatusOr<std::string> home = ExecutableDirectory();
  if (!home.ok()) {
    std::cerr << MessageOf(home.status()) << '\n';
    return kCannotStart;
  }
  DaemonOptions defaults;
  defaults.cache_directory = DefaultCacheDirectory();
  defaults.nvrtc_directories = UsualNvrtcDirectories(*home);
  defaults.worker_directory = *home;
  const auto line = ReadCommandLine(argc, argv, defaults, GEMMD_VERSION);
  if (const auto* exit = std::get_if<ProgramExit>(&line)) return exit->code;
  const CommandLine& flags = std::get<CommandLine>(line);
  absl::StatusOr<Setup> setup = MakeSetup(flags, defaults);
  if (!setup.ok()) {
    std::cerr << MessageOf(setup.status()) << '\n';
    return kBadUsage;
  }
  if (flags.check_config) {
    std::cout << "the configuration is valid\n";
    return 0;
  }
  return Serve(*std::move(setup), awaited);
}

}  // namespace
}  // namespace gemmd

int main(int argc, char** argv) { return gemmd::Main(argc, argv); }
