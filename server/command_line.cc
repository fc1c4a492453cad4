#include "server/command_line.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "base/status.h"
#include "server/config_file.h"

namespace gemmd {

std::variant<CommandLine, ProgramExit> ReadCommandLine(int argc, const char* const* argv, const DaemonOptions& defaults,
                                                       const std::string& version) {
  CommandLine line{.flags = defaults, .given = {}, .config_file = {}};
  CLI::App app("gemmd: compiles, caches and launches fused GPU kernels", "gemmd");
  app.add_option("--config", line.config_file,
                 "TOML file of the options below, each by its name with underscores; flags override it");
  app.add_flag("--check-config", line.check_config, "Check the configuration file and the flags, then end");
  std::vector<std::pair<const DaemonOption*, CLI::Option*>> added;
  for (const DaemonOption& option : AllOptions()) {
    std::visit(
        [&](auto field) {
          CLI::Option* flag = app.add_option(FlagOf(option.key), line.flags.*field, std::string(option.help));
          added.emplace_back(&option, flag->capture_default_str());
        },
        option.field);
  }
  app.set_version_flag("--version", "gemmd " + version);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // CLI11 speaks in exceptions; they end here
    return ProgramExit{app.exit(error) == 0 ? 0 : kBadUsage};
  }
  for (const auto& [option, flag] : added) {
    if (flag->count() > 0) line.given.push_back(option);
  }
  return line;
}

absl::StatusOr<DaemonOptions> GatherOptions(const CommandLine& line, const DaemonOptions& defaults) {
  DaemonOptions options = defaults;
  if (!line.config_file.empty()) GEMMD_RETURN_IF_ERROR(ReadConfigFile(line.config_file, options));
  for (const DaemonOption* option : line.given) CopyOption(*option, line.flags, options);
  return options;
}

}  // namespace gemmd
