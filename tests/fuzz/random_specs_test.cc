// Random specs on the host device, and that their proof can fail.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "runtime/host_device.h"
#include "spec/spec_json.h"
#include "tests/fuzz/faulty_device.h"
#include "tests/fuzz/problem_features.h"
#include "tests/fuzz/random_problem.h"
#include "tests/fuzz/spec_proof.h"
#include "tests/testing/sanitized.h"

namespace gemmd {
namespace {

constexpr std::int64_t kSpecs = kSanitized ? 60 : 300, kMaxExtent = kSanitized ? 200 : 300;

ProofOptions Options(std::int64_t count, std::int64_t max_extent) {
  ProofOptions options;
  options.draw = {.seed = 20250101, .max_extent = max_extent, .limits = *LimitsOf(Arch{9, 0, true})};
  options.count = count;
  return options;
}

std::string Failures(const ProofReport& report) {
  std::string text;
  for (const FailedSpec& failed : report.failed) {
    text += std::to_string(failed.index) + ": " + failed.reason + "\n" + failed.spec;
  }
  return text;
}

TEST(RandomSpecsTest, AreVerifiedOnTheHost) {
  HostDevice device;
  const ProofReport report = ProveOnDevice(Options(kSpecs, kMaxExtent), device, nullptr);
  EXPECT_EQ(report.specs, kSpecs);
  EXPECT_EQ(report.verified, kSpecs) << Failures(report);
}

class FaultTest : public testing::TestWithParam<Fault> {};

TEST_P(FaultTest, IsNoticedInEverySpecThatHasAPlaceForIt) {
  HostDevice host;
  FaultyDevice device(&host, GetParam());
  const ProofReport report = ProveOnDevice(Options(60, 40), device, nullptr);
  // A spec is launched a second time only to lie in place, and only if its first launch was right.
  EXPECT_EQ(static_cast<int>(report.failed.size()), device.done()) << Failures(report);
  EXPECT_GE(device.done(), GetParam() == Fault::kWriteBetweenLines || GetParam() == Fault::kWrongWhereInPlace ? 2 : 40);
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultTest,
                         testing::Values(Fault::kNothingComputed, Fault::kWrongLine, Fault::kUnwrittenElement,
                                         Fault::kWriteBefore, Fault::kWriteBehind, Fault::kWriteBetweenLines,
                                         Fault::kChangedInput, Fault::kWrongWhereInPlace),
                         [](const auto& suite) { return std::string(Name(suite.param)); });

TEST(FaultyDeviceTest, PassesWithoutAFault) {
  HostDevice host;
  FaultyDevice device(&host, Fault::kNone);
  const ProofReport report = ProveOnDevice(Options(60, 40), device, nullptr);
  EXPECT_EQ(report.verified, 60) << Failures(report);
}

TEST(DrawProblemTest, GivesTheSameForOneSeedAndIndex) {
  const DrawOptions options = Options(1, 100).draw;
  std::set<std::string> distinct;
  for (std::int64_t index = 0; index < 20; ++index) {
    const auto once = DrawProblem(options, index), again = DrawProblem(options, index);
    ASSERT_TRUE(once.ok() && again.ok()) << once.status() << again.status();
    EXPECT_EQ(once->problem.spec, again->problem.spec);
    EXPECT_EQ(once->problem.placements, again->problem.placements);
    EXPECT_EQ(once->problem.inputs.at("a").bytes, again->problem.inputs.at("a").bytes);
    distinct.insert(WriteSpecJson(once->problem.spec));
  }
  EXPECT_EQ(distinct.size(), 20u);
}

TEST(DrawProblemTest, ReachesEveryOperationAndFeature) {
  std::set<std::string> wanted = OperationFeatures();
  wanted.insert({"M = 0",
                 "M = 1",
                 "M dynamic",
                 "M ragged",
                 "N = 0",
                 "N = 1",
                 "N dynamic",
                 "N ragged",
                 "K = 0",
                 "K = 1",
                 "K dynamic",
                 "K ragged",
                 "a column_major",
                 "a row_major",
                 "b column_major",
                 "b row_major",
                 "a is b",
                 "graph",
                 "several outputs",
                 "stored before a gate",
                 "halves whole",
                 "halves ragged",
                 "row before a gate",
                 "full before a gate",
                 "row after a gate",
                 "full after a gate",
                 "in place",
                 "leading dimension",
                 "unaligned",
                 "operand column_major",
                 "operand value",
                 "condition value",
                 "operand scaled",
                 "several along rows",
                 "operation before rows",
                 "statistic stored",
                 "operation on a statistic",
                 "operand of a statistic",
                 "statistic spread",
                 "matrix stored after rows",
                 "rows after a gate",
                 "output i32",
                 "pinned schedule",
                 "pinned tile",
                 "planner's choice"});
  for (const char* dtype : {"f32", "f16", "bf16"}) {
    wanted.insert(std::string("output ") + dtype);
    for (const char* spread : {"scalar", "row", "column", "full"}) {
      wanted.insert(std::string("operand ") + spread + " " + dtype);
    }
  }
  const DrawOptions options = Options(1, 64).draw;
  for (std::int64_t index = 0; index < 600; ++index) {
    const auto drawn = DrawProblem(options, index);
    ASSERT_TRUE(drawn.ok()) << drawn.status();
    for (const std::string& feature : drawn->features) wanted.erase(feature);
  }
  for (const std::string& feature : wanted) ADD_FAILURE() << "never drawn: " << feature;
}

}  // namespace
}  // namespace gemmd
