// The flags of gemmd, and how they go together with its configuration file.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "server/options.h"

namespace gemmd {

struct CommandLine {
  DaemonOptions flags;
  std::vector<const DaemonOption*> given;  // which of them were
  std::string config_file;                 // empty: none
  bool check_config = false;
};

struct ProgramExit {
  int code = 0;
};
inline constexpr int kBadUsage = 2;

// Prints what --help and --version ask for, and what is wrong; the program then ends.
std::variant<CommandLine, ProgramExit> ReadCommandLine(int argc, const char* const* argv, const DaemonOptions& defaults,
                                                       const std::string& version);

// The defaults, then what the configuration file says, then the flags. Errors: ReadConfigFile's.
absl::StatusOr<DaemonOptions> GatherOptions(const CommandLine& line, const DaemonOptions& defaults);

}  // namespace gemmd
