#include "client/gemmctl/cache_commands.h"

#include <fmt/format.h>

#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"
#include "client/client.h"
#include "client/gemmctl/cache_report.h"
#include "client/gemmctl/files.h"
#include "client/gemmctl/tune_report.h"
#include "spec/diagnostic.h"

namespace gemmd {
namespace {

std::string Printed(const Options& options, const nlohmann::ordered_json& json, std::string text) {
  return options.json ? json.dump(2) + "\n" : std::move(text);
}

// Connects, asks by `ask`, and prints the answer for people or programs.
template <typename Ask>
CommandResult Answer(const Options& options, Ask ask) {
  const absl::Time deadline = absl::Now() + absl::Seconds(options.timeout_s);
  const absl::StatusOr<Client> client = Client::Connect(options.address, deadline);
  if (!client.ok()) return Failed(options, client.status());
  const auto report = ask(*client, deadline);
  if (!report.ok()) return Failed(options, report.status());
  return {ExitCode::kOk, Printed(options, JsonOf(*report), TextOf(*report, absl::Now())), ""};
}

}  // namespace

CommandResult Run(const Options& options, const KernelsOptions&) {
  return Answer(options, [](const Client& client, absl::Time deadline) { return client.ListKernels(deadline); });
}

CommandResult Run(const Options& options, const StatsOptions&) {
  return Answer(options, [](const Client& client, absl::Time deadline) { return client.GetStats(deadline); });
}

CommandResult Run(const Options& options, const CacheListOptions&) {
  return Answer(options, [](const Client& client, absl::Time deadline) { return client.ListCache("", deadline); });
}

CommandResult Run(const Options& options, const CacheShowOptions& command) {
  return Answer(options, [&](const Client& client, absl::Time deadline) -> absl::StatusOr<CacheEntryReport> {
    GEMMD_ASSIGN_OR_RETURN(CacheReport report, client.ListCache(command.key, deadline));
    if (report.entries.empty()) return NotFound("cubin_key {}: not on disk", Quote(command.key));
    if (report.total_entries > 1) {
      return InvalidArgument("cubin_key {}: {} entries begin with it", Quote(command.key), report.total_entries);
    }
    return std::move(report.entries.front());
  });
}

CommandResult Run(const Options& options, const CachePurgeOptions& command) {
  return Answer(options, [&](const Client& client, absl::Time deadline) {
    return client.PurgeCache(command.selection, deadline);
  });
}

CommandResult Run(const Options& options, const QuarantineListOptions&) {
  return Answer(options, [](const Client& client, absl::Time deadline) { return client.ListQuarantine(deadline); });
}

CommandResult Run(const Options& options, const QuarantineReleaseOptions& command) {
  return Answer(options, [&](const Client& client, absl::Time deadline) {
    return client.ReleaseQuarantine(command.plan_id, deadline);
  });
}

CommandResult Run(const Options& options, const RecordsListOptions&) {
  return Answer(options, [](const Client& client, absl::Time deadline) { return client.ListRecords(deadline); });
}

CommandResult Run(const Options& options, const RecordsExportOptions& command) {
  const absl::Time deadline = absl::Now() + absl::Seconds(options.timeout_s);
  const absl::StatusOr<Client> client = Client::Connect(options.address, deadline);
  if (!client.ok()) return Failed(options, client.status());
  const absl::StatusOr<RecordsReport> report = client->ListRecords(deadline);
  if (!report.ok()) return Failed(options, report.status());
  const std::string json = report->json + "\n";
  if (command.file == "-") return {ExitCode::kOk, json, ""};
  if (const absl::Status written = WriteBytes(command.file, json); !written.ok()) return Failed(options, written);
  const nlohmann::ordered_json counted = {{"records", report->records.size()}, {"file", command.file}};
  return {ExitCode::kOk,
          Printed(options, counted, fmt::format("{} records written to {}\n", report->records.size(), command.file)),
          ""};
}

CommandResult Run(const Options& options, const RecordsImportOptions& command) {
  return Answer(options, [&](const Client& client, absl::Time deadline) -> absl::StatusOr<ImportReport> {
    GEMMD_ASSIGN_OR_RETURN(const std::string json, ReadRecordsText(command.file));
    return client.ImportRecords(json, deadline);
  });
}

}  // namespace gemmd
