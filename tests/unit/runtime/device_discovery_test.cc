#include "runtime/device_discovery.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

TEST(DeviceDiscoveryTest, AnAnswerReadsAsItWasWritten) {
  const auto some = DiscoveryFromText(DiscoveryToText({4, ""}));
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->count, 4);
  const auto none = DiscoveryFromText(DiscoveryToText({0, "no CUDA driver: not found"}));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->count, 0);
  EXPECT_EQ(none->reason, "no CUDA driver: not found");
}

TEST(DeviceDiscoveryTest, RefusesAnAnswerThatIsNoneOfIts) {
  for (const std::string text : {"", "x\n\n", "-1\n\n", "4", "4\nhalf a line"}) {
    EXPECT_EQ(DiscoveryFromText(text).status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

}  // namespace
}  // namespace gemmd
