// gemmctl kernels, stats, cache and quarantine: what the daemon holds and has done.
#pragma once

#include "client/gemmctl/commands.h"
#include "client/gemmctl/options.h"

namespace gemmd {

CommandResult Run(const Options& options, const KernelsOptions& command);
CommandResult Run(const Options& options, const StatsOptions& command);
CommandResult Run(const Options& options, const CacheListOptions& command);
// NotFound or InvalidArgument where the key names no entry, or several.
CommandResult Run(const Options& options, const CacheShowOptions& command);
CommandResult Run(const Options& options, const CachePurgeOptions& command);
CommandResult Run(const Options& options, const QuarantineListOptions& command);
CommandResult Run(const Options& options, const QuarantineReleaseOptions& command);

}  // namespace gemmd
