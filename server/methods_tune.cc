#include <algorithm>
#include <vector>

#include "base/status.h"
#include "server/call_log.h"
#include "server/proto_convert.h"
#include "server/service.h"

namespace gemmd {
namespace {

constexpr std::int64_t kDefaultBudgetMs = 5000;

v1::TuneProgress ToProto(const SearchProgress& progress) {
  v1::TuneProgress message;
  message.set_tried(static_cast<int>(progress.tried));
  message.set_rejected(static_cast<int>(progress.rejected));
  message.set_known(static_cast<int>(progress.known));
  message.set_first_pick_us(progress.first_pick_ns / 1000);
  message.set_best_us(progress.best_ns / 1000);
  if (progress.best_ns > 0) *message.mutable_best() = ToProto(progress.best);
  message.set_left_ms(absl::ToInt64Milliseconds(progress.left));
  return message;
}

std::string_view StateOf(const TriedCandidate& candidate, bool won) {
  if (won) return "won";
  switch (candidate.state) {
    case TriedCandidate::State::kOnItsWay:
      return "untried";
    case TriedCandidate::State::kRejected:
      return "rejected";
    case TriedCandidate::State::kRacing:
    case TriedCandidate::State::kDropped:
      break;
  }
  return candidate.time_ns > 0 ? "measured" : "untried";
}

v1::TunedCandidate ToProto(const TriedCandidate& candidate, bool won) {
  v1::TunedCandidate message;
  *message.mutable_kernel() = ToProto(candidate.config);
  message.set_schedule(ScheduleOf(candidate.config));
  message.set_time_us(candidate.time_ns / 1000);
  message.set_spread(candidate.spread);
  message.set_verified(candidate.verified);
  message.set_state(std::string(StateOf(candidate, won)));
  message.set_rejection(candidate.rejection);
  return message;
}

// The first pick stays in front; the others follow by their times, those without one last.
v1::TuneSummary ToProto(const TuneOutcome& outcome, absl::Duration elapsed) {
  v1::TuneSummary message;
  message.set_spec_id(outcome.record.key.spec_id);
  message.set_device(outcome.device);
  const std::vector<TriedCandidate>& candidates = outcome.search.candidates;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < candidates.size(); ++i) order.push_back(i);
  std::stable_sort(order.begin() + 1, order.end(), [&](std::size_t a, std::size_t b) {
    const auto key = [&](std::size_t i) { return std::pair(candidates[i].time_ns <= 0, candidates[i].time_ns); };
    return key(a) < key(b);
  });
  for (const std::size_t index : order) {
    const bool won = index == outcome.search.best;
    if (won) message.set_best(message.candidates_size());
    *message.add_candidates() = ToProto(candidates[index], won);
  }
  message.set_finished(outcome.search.finished);
  message.set_not_recorded(outcome.not_recorded);
  message.set_m_min(outcome.record.key.m.min);
  message.set_m_max(outcome.record.key.m.max);
  message.set_elapsed_ms(absl::ToInt64Milliseconds(elapsed));
  return message;
}

v1::TuningRecord ToProto(const TuningRecord& record) {
  v1::TuningRecord message;
  message.set_spec_id(record.key.spec_id);
  message.set_summary(record.summary);
  message.set_device(record.key.device.name);
  message.set_driver(record.key.device.driver);
  message.set_m_min(record.key.m.min);
  message.set_m_max(record.key.m.max);
  message.set_schedule(ScheduleOf(record.config));
  message.set_time_us(static_cast<double>(record.time_ns) / 1000);
  message.set_first_pick_schedule(ScheduleOf(record.first_pick));
  message.set_first_pick_time_us(static_cast<double>(record.first_pick_time_ns) / 1000);
  message.set_tuned_unix_ms(absl::ToUnixMillis(record.tuned_at));
  return message;
}

using TuneWriter = grpc::ServerWriter<v1::TuneResponse>;

absl::Status TuneStreamed(KernelTuner& tuner, StageTimes& stages, const v1::TuneRequest& request, TuneWriter& writer,
                          const grpc::ServerContext& context, CallRecord& record) {
  TuneRequest tuned;
  GEMMD_ASSIGN_OR_RETURN(tuned.spec, ReadValidSpec(request.spec(), stages));
  tuned.device = request.device();
  tuned.dims = {request.dims().begin(), request.dims().end()};
  tuned.budget = absl::Milliseconds(request.budget_ms() == 0 ? kDefaultBudgetMs : request.budget_ms());
  tuned.candidates = request.candidates();
  bool gone = false;
  tuned.cancelled = [&] { return gone || context.IsCancelled(); };
  tuned.progress = [&](const SearchProgress& progress) {
    v1::TuneResponse message;
    *message.mutable_progress() = ToProto(progress);
    gone = gone || !writer.Write(message);
  };
  GEMMD_ASSIGN_OR_RETURN(const TuneOutcome outcome, tuner.Tune(tuned, DeadlineOf(context)));
  record.spec_id = outcome.record.key.spec_id;
  record.device = outcome.device;
  v1::TuneResponse message;
  *message.mutable_summary() = ToProto(outcome, record.elapsed());
  return writer.Write(message) ? absl::OkStatus() : absl::CancelledError("the client has gone");
}

absl::Status ImportInto(KernelTuner& tuner, const v1::ImportRecordsRequest& request,
                        v1::ImportRecordsResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const std::vector<TuningRecord> records, RecordsFromJson(request.json()));
  GEMMD_RETURN_IF_ERROR(tuner.Import(records));
  response.set_records(static_cast<int>(records.size()));
  return absl::OkStatus();
}

}  // namespace

grpc::Status GemmdService::Tune(grpc::ServerContext* context, const v1::TuneRequest* request, TuneWriter* writer) {
  CallRecord record(sinks_, "Tune", *context);
  return record.Finish(TuneStreamed(*tuner_, kernels_->stages(), *request, *writer, *context, record));
}

grpc::Status GemmdService::ListRecords(grpc::ServerContext* context, const v1::ListRecordsRequest*,
                                       v1::ListRecordsResponse* response) {
  CallRecord record(sinks_, "ListRecords", *context);
  const std::vector<TuningRecord> records = tuner_->records().List();
  for (const TuningRecord& tuned : records) *response->add_records() = ToProto(tuned);
  response->set_json(RecordsToJson(records));
  return record.Finish(absl::OkStatus());
}

grpc::Status GemmdService::ImportRecords(grpc::ServerContext* context, const v1::ImportRecordsRequest* request,
                                         v1::ImportRecordsResponse* response) {
  CallRecord record(sinks_, "ImportRecords", *context);
  return record.Finish(ImportInto(*tuner_, *request, *response));
}

}  // namespace gemmd
