// How gemmctl ends.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace gemmd {

enum class ExitCode {
  kOk = 0,
  kUsage = 1,
  kInvalid = 2,
  kWrongResult = 3,
  kUnreachable = 4,
  kDeadline = 5,
  kFailed = 6,
};

// For `gemmctl --help`.
inline constexpr std::string_view kExitCodeHelp =
    "Exit codes:\n"
    "  0  done\n"
    "  1  wrong usage of gemmctl\n"
    "  2  an invalid or not yet supported spec, or invalid input\n"
    "  3  the result failed verification\n"
    "  4  the daemon, or a device of it, cannot be reached\n"
    "  5  not done before --timeout\n"
    "  6  any other failure\n";

ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace gemmd
