#include <gtest/gtest.h>

#include "client/verify/verify.h"
#include "planted_problem.h"

namespace gemmd {
namespace {

TEST(PlantedBugsTest, PassesTheRightResult) {
  const PlantedProblem problem = SolveWith(Bug::kNone);
  const absl::StatusOr<VerifyReport> report = Verify(problem.spec, problem.Subject(), {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->verified);
  EXPECT_EQ(report->mismatches, 0);
  EXPECT_LE(report->worst.ratio, 1);
}

class PlantedBugTest : public testing::TestWithParam<int> {};

TEST_P(PlantedBugTest, IsCaught) {
  const PlantedProblem problem = SolveWith(static_cast<Bug>(GetParam()));
  const absl::StatusOr<VerifyReport> report = Verify(problem.spec, problem.Subject(), {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->verified);
  EXPECT_GT(report->mismatches, 0);
  EXPECT_GT(report->worst.ratio, 1);
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedBugTest, testing::Range(1, static_cast<int>(Bug::kCount)));

}  // namespace
}  // namespace gemmd
