// What worker processes log, so that a request is found there by its id too.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/logging.h"

namespace gemmd {

// How a worker is told to log: as its daemon does.
struct WorkerLog {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
};

// One line for a call that a worker answered, of the request that the thread works for: at level info where it failed,
// else debug. `kind` as "launch".
void LogWorkerCall(std::string_view kind, const absl::Status& status, absl::Duration took);

}  // namespace gemmd
