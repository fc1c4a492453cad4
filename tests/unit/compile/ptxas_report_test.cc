#include "compile/ptxas_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gemmd {
namespace {

// Logs of NVRTC 13.0 with --ptxas-options=-v.
constexpr char kTwoEntries[] = R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'k2' for 'sm_90a'
ptxas info    : Function properties for k2
ptxas         .     512 bytes stack frame, 868 bytes spill stores, 1012 bytes spill loads
ptxas info    : Used 24 registers, used 1 barriers, 512 bytes cumulative stack size
ptxas info    : Compile time = 15.745 ms
ptxas info    : Compiling entry function 'k' for 'sm_90a'
ptxas info    : Function properties for k
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 1 barriers, 256 bytes smem
ptxas info    : Compile time = 1.688 ms
)";
constexpr char kSpillInACalledFunction[] = R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'j' for 'sm_90a'
ptxas info    : Function properties for j
ptxas         .     592 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 64 registers, used 1 barriers, 592 bytes cumulative stack size
ptxas info    : Compile time = 17.877 ms
ptxas info    : Function properties for _Z1fPf
ptxas         .     0 bytes stack frame, 668 bytes spill stores, 1012 bytes spill loads
)";
constexpr char kSerialised[] = R"(kernel.cu(1): warning #177-D: variable "unused_C7510" was declared but (C7510) never
ptxas info    : (C7508) Potential Performance Loss: 'setmaxnreg' ignored; unable to determine register count at entry.
ptxas info    : (C7520) Potential Performance Loss: wgmma.mma_async instructions are serialized due to
ptxas info    : Compiling entry function 'k' for 'sm_90a'
ptxas info    : Used 30 registers, used 0 barriers
)";

TEST(PtxasReportTest, ReadsEveryEntry) {
  const std::vector<ResourceUsage> usage = ParsePtxasReport(kTwoEntries);
  ASSERT_EQ(usage.size(), 2U);
  EXPECT_EQ(usage[0].entry, "k2");
  EXPECT_EQ(usage[0].registers, 24);
  EXPECT_EQ(usage[0].spill_store_bytes, 868);
  EXPECT_EQ(usage[0].spill_load_bytes, 1012);
  EXPECT_EQ(usage[0].static_shared_bytes, 0);
  EXPECT_EQ(usage[1].entry, "k");
  EXPECT_EQ(usage[1].registers, 10);
  EXPECT_EQ(usage[1].spill_store_bytes, 0);
  EXPECT_EQ(usage[1].static_shared_bytes, 256);
}

TEST(PtxasReportTest, CountsTheSpillsOfACalledFunction) {
  const std::vector<ResourceUsage> usage = ParsePtxasReport(kSpillInACalledFunction);
  ASSERT_EQ(usage.size(), 1U);
  EXPECT_EQ(usage[0].spill_store_bytes, 668);
}

TEST(PtxasReportTest, ALogWithoutAReportHasNoEntries) {
  EXPECT_TRUE(ParsePtxasReport("").empty());
  EXPECT_TRUE(ParsePtxasReport("kernel.cu(1): error: expected a \";\"\n").empty());
}

TEST(PtxasReportTest, QuotesPerformanceWarningsOfPtxasAlone) {
  EXPECT_THAT(PerformanceWarnings(kSerialised),
              testing::ElementsAre(testing::HasSubstr("C7508"), testing::HasSubstr("C7520")));
}

TEST(CheckCleanTest, RejectsSpills) {
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckClean({"", kTwoEntries, ParsePtxasReport(kTwoEntries), 0})));
}

TEST(CheckCleanTest, RejectsASpillThatOnlyLoads) {
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckClean({"", "", {{"k", 32, 0, 4, 0}}, 0})));
}

TEST(CheckCleanTest, RejectsPerformanceWarnings) {
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckClean({"", kSerialised, ParsePtxasReport(kSerialised), 0})));
}

TEST(CheckCleanTest, AcceptsACleanKernel) { EXPECT_TRUE(CheckClean({"", "", {{"k", 255, 0, 0, 48 << 10}}, 0}).ok()); }

}  // namespace
}  // namespace gemmd
