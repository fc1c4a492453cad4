#include "server/call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/logging.h"
#include "base/status.h"
#include "server/grpc_status.h"

namespace gemmd {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class CallRecordTest : public testing::Test {
 protected:
  CallRecord Record(const char* method, RequestIdentity identity = {"req-1", "", ""}) {
    return CallRecord(sinks_, method, std::move(identity));
  }

  std::ostringstream log_;
  CallJournal journal_;
  CallSinks sinks_ = {MakeLoggerTo(log_, "test", LogLevel::kInfo, LogFormat::kText), &journal_};
};

TEST_F(CallRecordTest, WritesWhatIsKnownOfTheCall) {
  CallRecord record = Record("Compile");
  record.tier = "disk";
  EXPECT_TRUE(record.Finish(absl::OkStatus()).ok());
  EXPECT_THAT(log_.str(), ContainsRegex("call method=Compile tier=disk status=OK us=[0-9]+ request_id=req-1\n$"));
  EXPECT_THAT(log_.str(), Not(HasSubstr("device=")));
}

TEST_F(CallRecordTest, CarriesATraceIntoTheLog) {
  EXPECT_TRUE(Record("Plan", {"req-2", "trace", "span"}).Finish(absl::OkStatus()).ok());
  EXPECT_THAT(log_.str(), HasSubstr(" request_id=req-2 trace_id=trace parent_id=span\n"));
}

TEST_F(CallRecordTest, StaysOneLineWhateverTheError) {
  const CallRecord record = Record("Plan");
  const grpc::Status status = record.Finish(InvalidArgument("first\nsecond"));
  EXPECT_EQ(status.error_message(), "first\nsecond");
  const std::string text = log_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_THAT(text, HasSubstr("status=INVALID_ARGUMENT"));
}

TEST_F(CallRecordTest, IsInTheJournalFromItsBeginningToItsEnd) {
  CallRecord record = Record("Run");
  record.device = "host";
  EXPECT_EQ(journal_.Methods().at("Run").in_flight, 1);
  EXPECT_FALSE(record.Finish(Unavailable("gone\nfor good")).ok());
  const MethodCounts counts = journal_.Methods().at("Run");
  EXPECT_EQ(counts.in_flight, 0);
  EXPECT_EQ(counts.ended.at(absl::StatusCode::kUnavailable), 1);
  ASSERT_EQ(journal_.Failures().size(), 1u);
  const EndedCall failure = journal_.Failures().front();
  EXPECT_EQ(failure.request_id, "req-1");
  EXPECT_EQ(failure.device, "host");
  EXPECT_EQ(failure.message, "gone");
}

TEST(GrpcStatusTest, KeepsTheMeaningOfEveryCode) {
  const std::pair<absl::StatusCode, grpc::StatusCode> codes[] = {
      {absl::StatusCode::kCancelled, grpc::StatusCode::CANCELLED},
      {absl::StatusCode::kUnknown, grpc::StatusCode::UNKNOWN},
      {absl::StatusCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
      {absl::StatusCode::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED},
      {absl::StatusCode::kNotFound, grpc::StatusCode::NOT_FOUND},
      {absl::StatusCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS},
      {absl::StatusCode::kPermissionDenied, grpc::StatusCode::PERMISSION_DENIED},
      {absl::StatusCode::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {absl::StatusCode::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
      {absl::StatusCode::kAborted, grpc::StatusCode::ABORTED},
      {absl::StatusCode::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE},
      {absl::StatusCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED},
      {absl::StatusCode::kInternal, grpc::StatusCode::INTERNAL},
      {absl::StatusCode::kUnavailable, grpc::StatusCode::UNAVAILABLE},
      {absl::StatusCode::kDataLoss, grpc::StatusCode::DATA_LOSS},
      {absl::StatusCode::kUnauthenticated, grpc::StatusCode::UNAUTHENTICATED}};
  for (const auto& [ours, theirs] : codes) EXPECT_EQ(ToGrpcStatus(absl::Status(ours, "m")).error_code(), theirs);
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

}  // namespace
}  // namespace gemmd
