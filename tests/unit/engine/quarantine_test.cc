#include "engine/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace gemmd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const absl::Time kStart = absl::FromUnixSeconds(3'600'000);

DeviceFault FaultOf(std::vector<std::string> plans) {
  return {.kind = DeviceFault::Kind::kDied, .reason = "the worker died", .suspects = std::move(plans)};
}

class QuarantineTest : public testing::Test {
 protected:
  void Fault(std::vector<std::string> plans, const std::string& device = "cuda:0") {
    now_ += absl::Seconds(1);
    quarantine_.NoteFault(device, FaultOf(std::move(plans)), now_);
  }
  bool Refused(const std::string& plan, const std::string& device = "cuda:0") {
    return !quarantine_.Check(device, plan).ok();
  }
  absl::Time now_ = kStart;
  KernelQuarantine quarantine_{3};
};

TEST_F(QuarantineTest, AKernelIsRefusedAtItsLastFaultAndNotBefore) {
  for (int i = 0; i < 2; ++i) {
    Fault({"plan-a"});
    EXPECT_FALSE(Refused("plan-a"));
  }
  Fault({"plan-a"});
  const absl::Status status = quarantine_.Check("cuda:0", "plan-a");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(MessageOf(status)),
              HasSubstr("quarantined on cuda:0 after 3 faults, the last of them: the worker died; `gemmctl quarantine "
                        "release --plan plan-a`"));
  EXPECT_FALSE(Refused("plan-b"));
}

TEST_F(QuarantineTest, ASuccessDoesNotClearWhatAKernelDidAlone) {
  for (int i = 0; i < 3; ++i) {
    Fault({"plan-a"});
    quarantine_.NoteSuccess("cuda:0", "plan-a");
  }
  EXPECT_TRUE(Refused("plan-a"));
}

TEST_F(QuarantineTest, ASuccessClearsOneThatOnlyRanBesideTheGuilty) {
  for (int i = 0; i < 3; ++i) {
    Fault({"innocent", "guilty"});
    quarantine_.NoteSuccess("cuda:0", "innocent");
  }
  EXPECT_TRUE(Refused("guilty"));
  EXPECT_FALSE(Refused("innocent"));
}

TEST_F(QuarantineTest, EachDeviceCountsForItself) {
  for (const char* device : {"cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"}) Fault({"plan-a"}, device);
  EXPECT_TRUE(Refused("plan-a", "cuda:0"));
  EXPECT_FALSE(Refused("plan-a", "cuda:1"));
}

TEST_F(QuarantineTest, AnHourLaterAFaultDoesNotCount) {
  Fault({"plan-a"});
  Fault({"plan-a"});
  now_ += absl::Hours(2);
  Fault({"plan-a"});
  EXPECT_FALSE(Refused("plan-a"));
}

TEST_F(QuarantineTest, TimeDoesNotReleaseAKernel) {
  for (int i = 0; i < 3; ++i) Fault({"plan-a"});
  now_ += absl::Hours(200);
  Fault({"plan-b"});
  EXPECT_TRUE(Refused("plan-a"));
}

TEST_F(QuarantineTest, AFaultOfNoKernelCountsForNone) {
  for (int i = 0; i < 5; ++i) Fault({});
  EXPECT_THAT(quarantine_.List(), IsEmpty());
}

TEST_F(QuarantineTest, ZeroIsNever) {
  KernelQuarantine never(0);
  for (int i = 0; i < 5; ++i) never.NoteFault("host", FaultOf({"plan-a"}), kStart);
  EXPECT_TRUE(never.Check("host", "plan-a").ok());
}

TEST_F(QuarantineTest, ListsTheLatestFirstWithWhatTheyRefused) {
  for (const char* plan : {"plan-a", "plan-b"}) {
    for (int i = 0; i < 3; ++i) Fault({plan});
  }
  EXPECT_TRUE(Refused("plan-a"));
  EXPECT_TRUE(Refused("plan-a"));
  const std::vector<QuarantinedKernel> list = quarantine_.List();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].plan_id, "plan-b");
  EXPECT_EQ(list[1].plan_id, "plan-a");
  EXPECT_EQ(list[1].device, "cuda:0");
  EXPECT_EQ(list[1].faults, 3);
  EXPECT_EQ(list[1].refused, 2);
  EXPECT_EQ(list[1].since, kStart + absl::Seconds(3));
  EXPECT_EQ(list[1].last_fault, "the worker died");
  EXPECT_EQ(quarantine_.stats().kernels, 2);
  EXPECT_EQ(quarantine_.stats().refused, 2);
}

TEST_F(QuarantineTest, AReleasedKernelStartsAfresh) {
  for (int i = 0; i < 3; ++i) Fault({"plan-a"});
  for (int i = 0; i < 3; ++i) Fault({"plan-a"}, "cuda:1");
  EXPECT_EQ(*quarantine_.Release("plan-a"), 2);
  EXPECT_FALSE(Refused("plan-a"));
  Fault({"plan-a"});
  EXPECT_FALSE(Refused("plan-a"));
}

TEST_F(QuarantineTest, AReleaseNeedsOneKernel) {
  for (const char* plan : {"plan-a", "plan-b"}) {
    for (int i = 0; i < 3; ++i) Fault({plan});
  }
  EXPECT_EQ(quarantine_.Release("other").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(quarantine_.Release("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(quarantine_.Release("plan").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Refused("plan-a"));
  EXPECT_EQ(quarantine_.ReleaseAll(), 2);
  EXPECT_FALSE(Refused("plan-a"));
  EXPECT_FALSE(Refused("plan-b"));
}

}  // namespace
}  // namespace gemmd
