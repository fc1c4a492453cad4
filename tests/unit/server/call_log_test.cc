#include "server/call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/logging.h"
#include "base/status.h"
#include "server/grpc_status.h"

namespace gemmd {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CallRecordTest, WritesWhatIsKnownOfTheCall) {
  std::ostringstream log;
  CallRecord record(MakeLoggerTo(log, "test", LogLevel::kInfo, LogFormat::kText), "Compile");
  record.tier = "disk";
  EXPECT_TRUE(record.Finish(absl::OkStatus()).ok());
  EXPECT_THAT(log.str(), HasSubstr("call method=Compile tier=disk status=OK us="));
  EXPECT_THAT(log.str(), Not(HasSubstr("device=")));
}

TEST(CallRecordTest, StaysOneLineWhateverTheError) {
  std::ostringstream log;
  const CallRecord record(MakeLoggerTo(log, "test", LogLevel::kInfo, LogFormat::kText), "Plan");
  const grpc::Status status = record.Finish(InvalidArgument("first\nsecond"));
  EXPECT_EQ(status.error_message(), "first\nsecond");
  const std::string text = log.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_THAT(text, HasSubstr("status=INVALID_ARGUMENT"));
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
