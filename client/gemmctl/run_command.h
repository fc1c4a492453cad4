// gemmctl run.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/client.h"
#include "client/gemmctl/commands.h"

namespace gemmd {

// Prepares the inputs, runs the spec, writes the outputs that were asked for, verifies if asked.
absl::StatusOr<CommandResult> RunSpec(const Client& client, const std::string& spec_json, const RunOptions& options,
                                      bool json, absl::Time deadline);

}  // namespace gemmd
