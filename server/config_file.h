// The configuration file: TOML whose keys are those of server/options.h.
#pragma once

#include <filesystem>
#include <string_view>

#include "absl/status/status.h"
#include "server/options.h"

namespace gemmd {

// Sets in `options` what the file says, with its places; a key that is unknown or of the wrong type becomes one of the
// options' complaints. Errors: NotFound and the like (it can't be read), InvalidArgument (it is no TOML; names the
// place).
absl::Status ReadConfigFile(const std::filesystem::path& path, DaemonOptions& options);

// The same for a text; `name` stands for the file in places.
absl::Status ReadConfigText(std::string_view text, std::string_view name, DaemonOptions& options);

}  // namespace gemmd
