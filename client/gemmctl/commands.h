// What each subcommand does.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/gemmctl/exit_code.h"
#include "client/gemmctl/options.h"
#include "spec/diagnostic.h"

namespace gemmd {

// How a command ended, and what it has to say.
struct CommandResult {
  ExitCode exit_code = ExitCode::kOk;
  std::string output;  // for stdout: one JSON object under --json
  std::string errors;  // for stderr
};

// Does what was asked; blocks until done or until the timeout.
CommandResult Execute(const Options& options);

// The result of a command that failed.
CommandResult Failed(const Options& options, const absl::Status& status);
// The result for a spec with errors: every one of them, a line each.
CommandResult InvalidSpec(const Options& options, const std::vector<Diagnostic>& diagnostics);

}  // namespace gemmd
