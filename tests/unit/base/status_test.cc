#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/retry_after.h"

namespace gemmd {
namespace {

TEST(WithContextTest, KeepsTheCodeAndPutsTheContextFirst) {
  const absl::Status status = WithContext(NotFound("no {}", "entry"), "reading a");
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(MessageOf(status), "reading a: no entry");
}

TEST(WithContextTest, LeavesOkAlone) { EXPECT_TRUE(WithContext(absl::OkStatus(), "reading").ok()); }

struct ErrnoCase {
  int error_number;
  absl::StatusCode code;
};
class FromErrnoTest : public testing::TestWithParam<ErrnoCase> {};

TEST_P(FromErrnoTest, HasTheCodeThatACallerActsOn) {
  EXPECT_EQ(FromErrno(GetParam().error_number, "x").code(), GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(Errors, FromErrnoTest,
                         testing::Values(ErrnoCase{ENOENT, absl::StatusCode::kNotFound},
                                         ErrnoCase{EROFS, absl::StatusCode::kPermissionDenied},
                                         ErrnoCase{ENOSPC, absl::StatusCode::kResourceExhausted},
                                         ErrnoCase{EMFILE, absl::StatusCode::kResourceExhausted},
                                         ErrnoCase{EIO, absl::StatusCode::kInternal}));

absl::StatusOr<int> Doubled(absl::StatusOr<int> given) {
  GEMMD_ASSIGN_OR_RETURN(const int value, std::move(given));
  return 2 * value;
}

TEST(AssignOrReturnTest, AssignsTheValue) { EXPECT_EQ(Doubled(21).value(), 42); }

TEST(AssignOrReturnTest, ReturnsTheError) { EXPECT_TRUE(absl::IsDataLoss(Doubled(DataLoss("gone")).status())); }

TEST(RetryAfterTest, IsKeptInMillisecondsAndByMoreContext) {
  const absl::Status plain = ResourceExhausted("full");
  EXPECT_FALSE(RetryAfterOf(plain).has_value());
  EXPECT_FALSE(RetryAfterOf(absl::OkStatus()).has_value());
  const absl::Status hinted = WithRetryAfter(plain, absl::Seconds(1.5));
  EXPECT_EQ(RetryAfterOf(hinted), absl::Milliseconds(1500));
  EXPECT_EQ(hinted.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfterOf(WithContext(hinted, "queue")), absl::Milliseconds(1500));
}

}  // namespace
}  // namespace gemmd
