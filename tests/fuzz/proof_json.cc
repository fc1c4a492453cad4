#include "tests/fuzz/proof_json.h"

#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace gemmd {

using nlohmann::ordered_json;

std::string ProofToJson(const ProofOptions& options, const ProofRun& run, const ProofReport& report) {
  ordered_json root = {{"specs", report.specs}, {"verified", report.verified}, {"failed", ordered_json::array()}};
  for (const FailedSpec& failed : report.failed) {
    ordered_json entry = {{"index", failed.index}, {"reason", failed.reason}};
    entry["spec"] = ordered_json::parse(failed.spec, nullptr, /*allow_exceptions=*/false);
    root["failed"].push_back(std::move(entry));
  }
  root["mode"] = run.mode;
  root["seed"] = options.draw.seed;
  root["first"] = options.first;
  root["max_extent"] = options.draw.max_extent;
  root["commit"] = run.commit;
  root["gpu"] = run.device;
  root["driver"] = run.driver;
  root["compiler"] = run.compiler;
  root["command"] = run.command;
  root["date"] = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  root["seconds"] = run.seconds;
  root["passed_over"] = report.passed_over;
  root["families"] = report.families;
  root["dtypes"] = report.dtypes;
  root["features"] = report.features;
  return root.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace gemmd
