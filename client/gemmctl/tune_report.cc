#include "client/gemmctl/tune_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_join.h"
#include "client/gemmctl/report_text.h"
#include "client/gemmctl/table.h"

namespace gemmd {
namespace {

using Json = nlohmann::ordered_json;

// Times of the first pick over those of the winner; 0 where the first pick was not measured.
double GainOf(const TuneReport& report) {
  const double best_us = report.candidates[report.best].time_us;
  return best_us > 0 ? report.candidates.front().time_us / best_us : 0;
}

std::string RangeOf(std::int64_t m_min, std::int64_t m_max) {
  const std::string text = RangeText({.m_min = m_min, .m_max = m_max, .kernels = {}});
  return text.empty() ? "every M" : text;
}

// Of a thread (simt), a warp (mma) or a warpgroup (wgmma): "64x128".
std::string MicroOf(const KernelShape& kernel) { return absl::StrJoin(kernel.micro, "x"); }

std::vector<std::string> RowOf(const TunedCandidateReport& candidate, std::string_view note) {
  const bool measured = candidate.time_us > 0;
  return {candidate.schedule,
          MicroOf(candidate.kernel),
          fmt::format("{}", candidate.kernel.stages),
          measured ? fmt::format("{:.2f} us", candidate.time_us) : "-",
          measured ? fmt::format("{:.1f}%", 100 * candidate.spread) : "-",
          candidate.verified ? "yes" : "-",
          std::string(note) + candidate.state + (candidate.rejection.empty() ? "" : ": " + candidate.rejection)};
}

Json JsonOf(const TunedCandidateReport& candidate) {
  return {{"schedule", candidate.schedule}, {"micro", candidate.kernel.micro}, {"stages", candidate.kernel.stages},
          {"time_us", candidate.time_us},   {"spread", candidate.spread},      {"verified", candidate.verified},
          {"state", candidate.state},       {"rejection", candidate.rejection}};
}

}  // namespace

std::string TextOf(const ExplainReport& report) {
  constexpr double kMega = 1e6;
  const auto megabytes = [](std::int64_t bytes) { return static_cast<double>(bytes) / kMega; };
  std::string text = fmt::format(
      "product:   M {}, N {}, K {}: {:.3f} GFLOP\nmemory:    {:.3f} MB of {} factors, {:.3f} MB of operands, {:.3f} MB "
      "of "
      "outputs\nwaits for: {}\n",
      report.m, report.n, report.k, report.flop / 1e9, megabytes(report.factor_bytes), report.dtype,
      megabytes(report.operand_bytes), megabytes(report.output_bytes),
      report.waits_for_memory ? "memory" : "multipliers");
  for (const auto& [op, width] : report.row_reductions) text += fmt::format("rows:      {} of {} columns\n", op, width);
  text += fmt::format("ranking:   for {}\n", RangeOf(report.m_min, report.m_max));
  Rows rows = {{"SCHEDULE", "MICRO", "STAGES", "PREDICTED", "MEASURED"}};
  for (const RankedConfigReport& config : report.ranking) {
    rows.push_back({config.schedule, MicroOf(config.kernel), fmt::format("{}", config.kernel.stages),
                    fmt::format("{:.1f} kcycles", config.predicted_cycles / 1000),
                    config.measured_us > 0 ? fmt::format("{:.2f} us", config.measured_us) : "-"});
  }
  return text + Table(rows);
}

std::string TextOf(const TuneReport& report) {
  constexpr std::size_t kShown = 10;
  Rows rows = {{"SCHEDULE", "MICRO", "STAGES", "TIME", "SPREAD", "VERIFIED", "STATE"}};
  const std::size_t shown = std::min(kShown, report.candidates.size());
  for (std::size_t i = 0; i < shown; ++i) {
    rows.push_back(RowOf(report.candidates[i], i == 0 ? "first pick, " : ""));
  }
  std::string text = Table(rows);
  if (report.candidates.size() > shown) text += fmt::format("and {} more\n", report.candidates.size() - shown);
  const auto tried = std::ranges::count_if(
      report.candidates, [](const TunedCandidateReport& candidate) { return candidate.state != "untried"; });
  text += fmt::format("{} candidates in {:.1f} s on {}{}\n", tried, static_cast<double>(report.elapsed_ms) / 1000,
                      report.device, report.finished ? "" : ", as many as the budget allows");
  const TunedCandidateReport& best = report.candidates[report.best];
  if (report.best == 0) {
    text += fmt::format("the first pick stays: nothing is faster than {:.2f} us beyond the noise\n", best.time_us);
  } else {
    text += fmt::format("{} takes {:.2f} us", best.schedule, best.time_us);
    if (const double gain = GainOf(report); gain > 0) {
      text +=
          fmt::format(", {:.2f} times as fast as the first pick's {:.2f} us", gain, report.candidates.front().time_us);
    }
    text += "\n";
  }
  text += fmt::format("recorded for {}; it serves from now on\n", RangeOf(report.m_min, report.m_max));
  if (!report.not_recorded.empty()) {
    text += fmt::format("until the daemon ends only: {}\n", report.not_recorded);
  }
  return text;
}

std::string TextOf(const RecordsReport& report, absl::Time now) {
  Rows rows = {{"SPEC_ID", "DEVICE", "M", "SCHEDULE", "TIME", "FIRST PICK", "TUNED", "SPEC"}};
  for (const TuningRecordReport& record : report.records) {
    rows.push_back({ShortId(record.spec_id), record.device, RangeOf(record.m_min, record.m_max), record.schedule,
                    fmt::format("{:.2f} us", record.time_us), fmt::format("{:.2f} us", record.first_pick_time_us),
                    Age(now - record.tuned_at), record.summary});
  }
  return Table(rows);
}

std::string TextOf(const ImportReport& report, absl::Time) { return fmt::format("{} records taken\n", report.records); }

Json JsonOf(const ExplainReport& report) {
  Json rows = Json::array(), ranking = Json::array();
  for (const auto& [op, width] : report.row_reductions) rows.push_back({{"op", op}, {"width", width}});
  for (const RankedConfigReport& config : report.ranking) {
    ranking.push_back({{"schedule", config.schedule},
                       {"micro", config.kernel.micro},
                       {"stages", config.kernel.stages},
                       {"predicted_cycles", config.predicted_cycles},
                       {"measured_us", config.measured_us}});
  }
  return {{"m", report.m},
          {"n", report.n},
          {"k", report.k},
          {"dtype", report.dtype},
          {"flop", report.flop},
          {"factor_bytes", report.factor_bytes},
          {"operand_bytes", report.operand_bytes},
          {"output_bytes", report.output_bytes},
          {"waits_for_memory", report.waits_for_memory},
          {"row_reductions", std::move(rows)},
          {"m_min", report.m_min},
          {"m_max", report.m_max},
          {"ranking", std::move(ranking)}};
}

Json JsonOf(const TuneReport& report) {
  Json candidates = Json::array();
  for (const TunedCandidateReport& candidate : report.candidates) candidates.push_back(JsonOf(candidate));
  return {{"spec_id", report.spec_id},
          {"device", report.device},
          {"best", JsonOf(report.candidates[report.best])},
          {"first_pick", JsonOf(report.candidates.front())},
          {"gain", GainOf(report)},
          {"finished", report.finished},
          {"elapsed_ms", report.elapsed_ms},
          {"m_min", report.m_min},
          {"m_max", report.m_max},
          {"not_recorded", report.not_recorded},
          {"candidates", std::move(candidates)}};
}

Json JsonOf(const RecordsReport& report) {
  Json records = Json::array();
  for (const TuningRecordReport& record : report.records) {
    records.push_back(
        {{"spec_id", record.spec_id},
         {"spec", record.summary},
         {"device", record.device},
         {"driver", record.driver},
         {"m_min", record.m_min},
         {"m_max", record.m_max},
         {"schedule", record.schedule},
         {"time_us", record.time_us},
         {"first_pick", {{"schedule", record.first_pick_schedule}, {"time_us", record.first_pick_time_us}}},
         {"tuned", Moment(record.tuned_at)}});
  }
  return {{"records", std::move(records)}};
}

Json JsonOf(const ImportReport& report) { return {{"records", report.records}}; }

}  // namespace gemmd
