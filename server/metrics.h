// A view as metrics.
#pragma once

#include <string>

#include "server/daemon_view.h"

namespace gemmd {

// In the text format of Prometheus. Every family is there, also where it has no sample yet.
std::string MetricsText(const DaemonView& view);

}  // namespace gemmd
