#include "spec/arch.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

TEST(ArchTest, NamesReadBackAsTheSameArch) {
  for (const char* name :
       {"sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_100a", "sm_103", "sm_120", "sm_120a"}) {
    const auto arch = ArchFromName(name);
    ASSERT_TRUE(arch.has_value()) << name;
    EXPECT_EQ(Name(*arch), name);
  }
}

TEST(ArchTest, SplitsCapabilityIntoMajorAndMinor) {
  EXPECT_EQ(ArchFromName("sm_90a"), (Arch{9, 0, true}));
  EXPECT_EQ(ArchFromName("sm_120"), (Arch{12, 0, false}));
}

TEST(ArchTest, OtherNamesAreNoArch) {
  for (const char* name : {"", "sm_", "sm_a", "sm_9", "sm_75", "sm_80a", "sm_090", "sm_9000", "sm_130", "sm_90b",
                           "sm_90aa", "SM_90", "compute_90", "sm_90 "}) {
    EXPECT_EQ(ArchFromName(name), std::nullopt) << name;
  }
}

TEST(LimitsTest, KnowsTheHopperDevice) {
  const auto limits = LimitsOf({9, 0, true});
  ASSERT_TRUE(limits.has_value());
  EXPECT_EQ(limits->arch, (Arch{9, 0, true}));
  EXPECT_EQ(limits->sm_count, 132);
  EXPECT_EQ(limits->shared_bytes_per_block, 227 * 1024);
  EXPECT_EQ(limits->shared_bytes_per_sm, 228 * 1024);
}

TEST(LimitsTest, CoversEveryPlannedArch) {
  for (const char* name : {"sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_100a", "sm_120", "sm_120a"}) {
    const auto limits = LimitsOf(*ArchFromName(name));
    ASSERT_TRUE(limits.has_value()) << name;
    EXPECT_EQ(limits->shared_bytes_per_sm - limits->shared_bytes_per_block, 1024) << name;
  }
}

TEST(LimitsTest, HasNothingForOtherDevices) {
  EXPECT_FALSE(LimitsOf({8, 7, false}).has_value());
  EXPECT_FALSE(LimitsOf({8, 0, true}).has_value());
  EXPECT_FALSE(LimitsOf({}).has_value());
}

}  // namespace
}  // namespace gemmd
