#include <utility>

#include "base/status.h"
#include "client/wire.h"

namespace gemmd {

ExplainReport FromWire(const v1::ExplainResponse& response) {
  ExplainReport report{.m = response.m(),
                       .n = response.n(),
                       .k = response.k(),
                       .dtype = response.dtype(),
                       .flop = response.flop(),
                       .factor_bytes = response.factor_bytes(),
                       .operand_bytes = response.operand_bytes(),
                       .output_bytes = response.output_bytes(),
                       .waits_for_memory = response.waits_for_memory(),
                       .row_reductions = {},
                       .m_min = response.m_min(),
                       .m_max = response.m_max(),
                       .ranking = {}};
  for (const v1::RowReduction& reduction : response.row_reductions()) {
    report.row_reductions.emplace_back(reduction.op(), reduction.width());
  }
  for (const v1::RankedConfig& config : response.ranking()) {
    report.ranking.push_back({.kernel = FromWire(config.kernel()),
                              .schedule = config.schedule(),
                              .predicted_cycles = config.predicted_cycles(),
                              .measured_us = config.measured_us()});
  }
  return report;
}

TuneProgressReport FromWire(const v1::TuneProgress& progress) {
  return {.tried = progress.tried(),
          .rejected = progress.rejected(),
          .known = progress.known(),
          .first_pick_us = progress.first_pick_us(),
          .best_us = progress.best_us(),
          .left_ms = progress.left_ms()};
}

absl::StatusOr<TuneReport> FromWire(v1::TuneSummary&& summary) {
  TuneReport report{.spec_id = std::move(*summary.mutable_spec_id()),
                    .device = std::move(*summary.mutable_device()),
                    .candidates = {},
                    .best = static_cast<std::size_t>(summary.best()),
                    .finished = summary.finished(),
                    .not_recorded = std::move(*summary.mutable_not_recorded()),
                    .m_min = summary.m_min(),
                    .m_max = summary.m_max(),
                    .elapsed_ms = summary.elapsed_ms()};
  for (v1::TunedCandidate& candidate : *summary.mutable_candidates()) {
    report.candidates.push_back({.kernel = FromWire(candidate.kernel()),
                                 .schedule = std::move(*candidate.mutable_schedule()),
                                 .time_us = candidate.time_us(),
                                 .spread = candidate.spread(),
                                 .verified = candidate.verified(),
                                 .state = std::move(*candidate.mutable_state()),
                                 .rejection = std::move(*candidate.mutable_rejection())});
  }
  if (report.best >= report.candidates.size()) {
    return DataLoss("the winner of a search is candidate {} of {}", report.best, report.candidates.size());
  }
  return report;
}

RecordsReport FromWire(v1::ListRecordsResponse&& response) {
  RecordsReport report;
  report.json = std::move(*response.mutable_json());
  for (v1::TuningRecord& record : *response.mutable_records()) {
    report.records.push_back({.spec_id = std::move(*record.mutable_spec_id()),
                              .summary = std::move(*record.mutable_summary()),
                              .device = std::move(*record.mutable_device()),
                              .driver = std::move(*record.mutable_driver()),
                              .m_min = record.m_min(),
                              .m_max = record.m_max(),
                              .schedule = std::move(*record.mutable_schedule()),
                              .first_pick_schedule = std::move(*record.mutable_first_pick_schedule()),
                              .time_us = record.time_us(),
                              .first_pick_time_us = record.first_pick_time_us(),
                              .tuned_at = absl::FromUnixMillis(record.tuned_unix_ms())});
  }
  return report;
}

v1::TuneRequest ToWire(const TuneCall& call) {
  v1::TuneRequest request;
  request.mutable_spec()->set_json(call.spec_json);
  request.set_device(call.device);
  request.mutable_dims()->insert(call.dims.begin(), call.dims.end());
  request.set_budget_ms(absl::ToInt64Milliseconds(call.budget));
  request.set_candidates(call.candidates);
  return request;
}

}  // namespace gemmd
