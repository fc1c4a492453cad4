#include "client/gemmctl/tune_command.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "absl/time/clock.h"
#include "base/status.h"
#include "client/gemmctl/progress.h"
#include "client/gemmctl/tune_report.h"

namespace gemmd {

absl::StatusOr<CommandResult> TuneSpec(const Client& client, const std::string& spec_json, const TuneOptions& options,
                                       bool json, absl::Time deadline) {
  const absl::Time until = std::max(deadline, absl::Now() + options.budget + absl::Minutes(1));
  std::optional<TuneBar> bar(std::in_place, STDERR_FILENO, options.budget);
  GEMMD_ASSIGN_OR_RETURN(const TuneReport report,
                         client.Tune({.spec_json = spec_json,
                                      .device = options.device,
                                      .dims = options.dims,
                                      .budget = options.budget,
                                      .candidates = options.candidates,
                                      .progress = [&](const TuneProgressReport& progress) { bar->Show(progress); }},
                                     until));
  bar.reset();
  return CommandResult{ExitCode::kOk, json ? JsonOf(report).dump(2) + "\n" : TextOf(report), ""};
}

}  // namespace gemmd
