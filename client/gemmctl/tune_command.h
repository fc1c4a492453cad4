// gemmctl tune: a search in the daemon, watched.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/client.h"
#include "client/gemmctl/commands.h"
#include "client/gemmctl/options.h"

namespace gemmd {

// Shows a progress bar on standard error where that is a terminal. Waits for the budget and a minute, if the deadline
// is sooner. Errors: Client::Tune's.
absl::StatusOr<CommandResult> TuneSpec(const Client& client, const std::string& spec_json, const TuneOptions& options,
                                       bool json, absl::Time deadline);

}  // namespace gemmd
