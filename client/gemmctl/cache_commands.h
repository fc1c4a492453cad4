// gemmctl kernels, stats, cache, quarantine and records: what the daemon holds and has done.
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
CommandResult Run(const Options& options, const RecordsListOptions& command);
// The JSON of every record, whether asked for JSON or not.
CommandResult Run(const Options& options, const RecordsExportOptions& command);
CommandResult Run(const Options& options, const RecordsImportOptions& command);

}  // namespace gemmd
