// gemmctl: submits specs to a running gemmd.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <variant>

#include "client/gemmctl/commands.h"
#include "client/gemmctl/options.h"
#include "client/gemmctl/progress.h"

namespace {

// Shows a person that it is still at work. A search shows how far it is itself.
gemmd::CommandResult ExecuteVisibly(const gemmd::Options& options) {
  if (std::holds_alternative<gemmd::TuneOptions>(options.command)) return gemmd::Execute(options);
  const gemmd::ProgressLine progress(STDERR_FILENO, options.command_name, absl::Seconds(options.timeout_s));
  return gemmd::Execute(options);
}

}  // namespace

int main(int argc, char** argv) {
  const char* address = std::getenv("GEMMD_ADDRESS");
  const gemmd::ParsedCommandLine parsed =
      gemmd::ParseCommandLine(argc, argv, address != nullptr ? address : "unix:/run/gemmd.sock");
  if (!parsed.proceed) {
    std::cout << parsed.output;
    std::cerr << parsed.errors;
    return static_cast<int>(parsed.exit_code);
  }
  const gemmd::CommandResult result = ExecuteVisibly(parsed.options);
  std::cout << result.output << std::flush;
  std::cerr << result.errors;
  return static_cast<int>(std::cout ? result.exit_code : gemmd::ExitCode::kFailed);
}
