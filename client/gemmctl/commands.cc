#include "client/gemmctl/commands.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "absl/time/clock.h"
#include "base/status.h"
#include "client/client.h"
#include "client/gemmctl/cache_commands.h"
#include "client/gemmctl/files.h"
#include "client/gemmctl/report_json.h"
#include "client/gemmctl/report_text.h"
#include "client/gemmctl/run_command.h"
#include "client/gemmctl/tune_command.h"
#include "client/gemmctl/tune_report.h"
#include "plan/graph.h"
#include "spec/spec_json.h"
#include "spec/spec_schema.h"

namespace gemmd {
namespace {

using Json = nlohmann::ordered_json;

absl::Time DeadlineOf(const Options& options) { return absl::Now() + absl::Seconds(options.timeout_s); }

std::string Printed(const Json& json) { return json.dump(2) + "\n"; }

CommandResult ValidCommand(const Options& options, const std::string& spec_id) {
  const Json json = {{"valid", true}, {"spec_id", spec_id}};
  return {ExitCode::kOk, options.json ? Printed(json) : fmt::format("valid, spec_id {:.12}\n", spec_id), ""};
}

CommandResult ValidateHere(const Options& options, const std::string& text) {
  const ParsedSpec parsed = ReadSpecJson(text);
  const std::vector<Diagnostic> diagnostics = AllDiagnostics(parsed);
  if (!diagnostics.empty()) return InvalidSpec(options, diagnostics);
  return ValidCommand(options, SpecId(Canonicalize(parsed.spec).graph));
}

CommandResult Run(const Options& options, const ValidateOptions& command) {
  const absl::Time deadline = DeadlineOf(options);
  const absl::StatusOr<std::string> text = ReadSpecText(command.spec);
  if (!text.ok()) return Failed(options, text.status());
  if (command.local) return ValidateHere(options, *text);
  const absl::StatusOr<Client> client = Client::Connect(options.address, deadline);
  if (!client.ok()) return Failed(options, client.status());
  const absl::StatusOr<ValidationReport> report = client->Validate(*text, deadline);
  if (!report.ok()) return Failed(options, report.status());
  if (!report->errors.empty()) return InvalidSpec(options, report->errors);
  return ValidCommand(options, report->spec_id);
}

// Reads a spec, connects, and hands both to `act`. A spec that the daemon refuses is reported with all its errors, of
// which a status has room for the first ones only.
template <typename Act>
CommandResult WithSpec(const Options& options, const std::string& path, Act act) {
  const absl::Time deadline = DeadlineOf(options);
  const absl::StatusOr<std::string> text = ReadSpecText(path);
  if (!text.ok()) return Failed(options, text.status());
  const absl::StatusOr<Client> client = Client::Connect(options.address, deadline);
  if (!client.ok()) return Failed(options, client.status());
  absl::StatusOr<CommandResult> result = act(*client, *text, deadline);
  if (result.ok()) return *std::move(result);
  if (absl::IsInvalidArgument(result.status()) || absl::IsUnimplemented(result.status())) {
    const absl::StatusOr<ValidationReport> report = client->Validate(*text, deadline);
    if (report.ok() && !report->errors.empty()) return InvalidSpec(options, report->errors);
  }
  return Failed(options, result.status());
}

CommandResult Run(const Options& options, const PlanOptions& command) {
  return WithSpec(
      options, command.spec,
      [&](const Client& client, const std::string& text, absl::Time deadline) -> absl::StatusOr<CommandResult> {
        GEMMD_ASSIGN_OR_RETURN(const PlanReport report, client.Plan(text, command.target, deadline));
        Json json = JsonOf(report);
        std::string human = TextOf(report);
        if (command.explain) {
          GEMMD_ASSIGN_OR_RETURN(const ExplainReport explained,
                                 client.Explain(text, command.target, command.dims, deadline));
          json["explanation"] = JsonOf(explained);
          human += TextOf(explained);
        }
        return CommandResult{ExitCode::kOk, options.json ? Printed(json) : human, ""};
      });
}

// The sources one after the other, where there are several each below the M that it is for.
std::string SourcesText(const PlanReport& report) {
  if (report.sources.size() == 1) return report.sources.front();
  std::string text;
  for (const VariantShape& variant : report.variants) {
    for (const int kernel : variant.kernels) {
      const auto index = static_cast<std::size_t>(kernel);
      if (index >= report.sources.size()) continue;  // another build's daemon
      text += fmt::format("{}// {}\n{}", text.empty() ? "" : "\n", RangeText(variant), report.sources[index]);
    }
  }
  return text;
}

CommandResult Run(const Options& options, const SourceOptions& command) {
  return WithSpec(
      options, command.spec,
      [&](const Client& client, const std::string& text, absl::Time deadline) -> absl::StatusOr<CommandResult> {
        GEMMD_ASSIGN_OR_RETURN(const PlanReport report, client.Plan(text, command.target, deadline));
        const Json json = {{"cubin_keys", report.cubin_keys}, {"arch", report.arch}, {"sources", report.sources}};
        return CommandResult{ExitCode::kOk, options.json ? Printed(json) : SourcesText(report), ""};
      });
}

// manifest.json, kernel.cu and kernel.cubin, or kernel_<i>.cu and .cubin where there are several. Returns their paths.
absl::StatusOr<std::vector<std::string>> WriteKernel(const KernelReport& kernel, const std::string& directory) {
  const std::filesystem::path path = directory;
  GEMMD_RETURN_IF_ERROR(MakeDirectory(path));
  std::vector<std::pair<std::string, const std::string*>> files = {{"manifest.json", &kernel.manifest}};
  const auto add = [&](const std::vector<std::string>& texts, std::string_view extension) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      files.emplace_back(fmt::format("kernel{}.{}", texts.size() == 1 ? "" : fmt::format("_{}", i), extension),
                         &texts[i]);
    }
  };
  add(kernel.sources, "cu");
  add(kernel.cubins, "cubin");
  std::vector<std::string> written;
  for (const auto& [name, bytes] : files) {
    GEMMD_RETURN_IF_ERROR(WriteBytes(path / name, *bytes));
    written.push_back((path / name).string());
  }
  return written;
}

CommandResult Run(const Options& options, const CompileOptions& command) {
  return WithSpec(
      options, command.spec,
      [&](const Client& client, const std::string& text, absl::Time deadline) -> absl::StatusOr<CommandResult> {
        GEMMD_ASSIGN_OR_RETURN(const CompileReport report, client.Compile(text, command.target, deadline));
        Json json = JsonOf(report);
        std::string human = TextOf(report);
        if (!command.output_dir.empty()) {
          GEMMD_ASSIGN_OR_RETURN(const KernelReport kernel, client.GetKernel(report.plan_id, text, {}, deadline));
          GEMMD_ASSIGN_OR_RETURN(const std::vector<std::string> files, WriteKernel(kernel, command.output_dir));
          json["files"] = files;
          for (const std::string& file : files) human += fmt::format("wrote      {}\n", file);
        }
        return CommandResult{ExitCode::kOk, options.json ? Printed(json) : human, ""};
      });
}

CommandResult Run(const Options& options, const RunOptions& command) {
  return WithSpec(options, command.spec, [&](const Client& client, const std::string& text, absl::Time deadline) {
    return RunSpec(client, text, command, options.json, deadline);
  });
}

CommandResult Run(const Options& options, const TuneOptions& command) {
  return WithSpec(options, command.spec, [&](const Client& client, const std::string& text, absl::Time deadline) {
    return TuneSpec(client, text, command, options.json, deadline);
  });
}

CommandResult Run(const Options& options, const DevicesOptions&) {
  const absl::Time deadline = DeadlineOf(options);
  const absl::StatusOr<Client> client = Client::Connect(options.address, deadline);
  if (!client.ok()) return Failed(options, client.status());
  const absl::StatusOr<DevicesReport> report = client->ListDevices(deadline);
  if (!report.ok()) return Failed(options, report.status());
  return {ExitCode::kOk, options.json ? Printed(JsonOf(*report)) : TextOf(*report), ""};
}

CommandResult Run(const Options& options, const HealthOptions& command) {
  const absl::Time deadline = DeadlineOf(options);
  const absl::StatusOr<Client> client = Client::Connect(options.address, deadline);
  if (!client.ok()) return Failed(options, client.status());
  const absl::StatusOr<HealthState> state = client->Health(command.service, deadline);
  if (!state.ok()) return Failed(options, state.status());
  const Json json = {{"state", Name(*state)}};
  const ExitCode code = *state == HealthState::kServing ? ExitCode::kOk : ExitCode::kFailed;
  return {code, options.json ? Printed(json) : fmt::format("{}\n", Name(*state)), ""};
}

CommandResult Run(const Options&, const SchemaOptions&) { return {ExitCode::kOk, SpecSchema(), ""}; }

}  // namespace

CommandResult Failed(const Options& options, const absl::Status& status) {
  CommandResult result{ExitCodeOf(status), "", fmt::format("gemmctl: {}\n", MessageOf(status))};
  if (options.json) {
    const std::string code = absl::StatusCodeToString(status.code());
    result.output = Printed({{"error", {{"code", code}, {"message", std::string(MessageOf(status))}}}});
  }
  return result;
}

CommandResult InvalidSpec(const Options& options, const std::vector<Diagnostic>& diagnostics) {
  CommandResult result{ExitCode::kInvalid, "", ""};
  Json errors = Json::array();
  for (const Diagnostic& diagnostic : diagnostics) {
    result.errors += Render(diagnostic) + "\n";
    errors.push_back(JsonOf(diagnostic));
  }
  if (options.json) result.output = Printed({{"valid", false}, {"errors", errors}});
  return result;
}

CommandResult Execute(const Options& options) {
  return std::visit([&](const auto& command) { return Run(options, command); }, options.command);
}

}  // namespace gemmd
