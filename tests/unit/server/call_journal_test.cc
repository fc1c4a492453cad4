#include "server/call_journal.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

EndedCall Call(absl::StatusCode code, const std::string& message = "m") {
  return {.at = absl::Now(), .method = "Run", .device = "host", .request_id = "r", .code = code, .message = message};
}

TEST(CallJournalTest, CountsByMethodAndCode) {
  CallJournal journal;
  for (int i = 0; i < 3; ++i) journal.Begin("Run");
  journal.Begin("Plan");
  journal.End(Call(absl::StatusCode::kOk), absl::Milliseconds(2));
  journal.End(Call(absl::StatusCode::kNotFound), absl::Milliseconds(2));
  const auto methods = journal.Methods();
  EXPECT_EQ(methods.at("Run").in_flight, 1);
  EXPECT_EQ(methods.at("Run").ended.at(absl::StatusCode::kOk), 1);
  EXPECT_EQ(methods.at("Run").ended.at(absl::StatusCode::kNotFound), 1);
  EXPECT_EQ(methods.at("Run").times.total(), 2);
  EXPECT_NEAR(methods.at("Run").times.sum_seconds, 0.004, 1e-9);
  EXPECT_EQ(methods.at("Plan").in_flight, 1);
  EXPECT_TRUE(methods.at("Plan").ended.empty());
}

TEST(CallJournalTest, KeepsTheLatestFaultsAndNoRefusals) {
  CallJournal journal;
  for (int i = 0; i < 30; ++i) {
    journal.Begin("Run");
    journal.Begin("Run");
    journal.End(Call(absl::StatusCode::kUnavailable, std::to_string(i)), absl::Seconds(1));
    journal.End(Call(absl::StatusCode::kInvalidArgument), absl::Seconds(1));
  }
  const std::vector<EndedCall> failures = journal.Failures();
  ASSERT_EQ(failures.size(), 20u);
  EXPECT_EQ(failures.front().message, "29");
  EXPECT_EQ(failures.back().message, "10");
}

}  // namespace
}  // namespace gemmd
