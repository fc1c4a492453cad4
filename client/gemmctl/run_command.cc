#include "client/gemmctl/run_command.h"

#include "base/status.h"
#include "client/gemmctl/prepare_run.h"
#include "client/gemmctl/report_json.h"
#include "client/gemmctl/report_text.h"
#include "client/gemmctl/tensor_files.h"
#include "client/verify/verify.h"
#include "spec/spec_json.h"

namespace gemmd {

absl::StatusOr<CommandResult> RunSpec(const Client& client, const std::string& spec_json, const RunOptions& options,
                                      bool json, absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const KernelSpec spec, ParseValidSpec(spec_json));
  GEMMD_ASSIGN_OR_RETURN(PreparedRun run, PrepareRun(spec, options));
  // Asked first: after the run the daemon may be stopping, and the result would be lost.
  GEMMD_ASSIGN_OR_RETURN(const DevicesReport devices, client.ListDevices(deadline));
  GEMMD_ASSIGN_OR_RETURN(const RunReport report, client.Run(run.Call(spec_json, options), deadline));
  GEMMD_RETURN_IF_ERROR(WriteTensorFiles(options.outputs, run.outputs));

  CommandResult result;
  nlohmann::ordered_json object = JsonOf(report, run.shape);
  result.output = TextOf(report, run.shape, devices);
  if (options.verify) {
    const VerifyOptions verify_options{.rows = options.verify_rows, .seed = options.seed};
    GEMMD_ASSIGN_OR_RETURN(const VerifyReport verdict, Verify(spec, run.Subject(), verify_options));
    object["verify"] = JsonOf(verdict);
    result.output += TextOf(verdict);
    if (!verdict.verified) {
      result.exit_code = ExitCode::kWrongResult;
      result.errors = "gemmctl: the result is wrong\n";
    }
  }
  if (json) result.output = object.dump(2) + "\n";
  return result;
}

}  // namespace gemmd
