#include "cuda/driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "cuda/device_query.h"

namespace gemmd {
namespace {

using ::testing::HasSubstr;

TEST(DriverTest, SaysWhatIsMissingWhereThereIsNoDriver) {
  const auto driver = Driver::Open("libcuda-that-is-not-there.so.1");
  ASSERT_EQ(driver.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(driver.status()), HasSubstr("libcuda-that-is-not-there.so.1"));
}

TEST(DriverTest, RefusesALibraryThatIsNoDriver) {
  const auto driver = Driver::Open("libc.so.6");
  ASSERT_EQ(driver.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(driver.status()), HasSubstr("cuGetProcAddress_v2"));
}

// Either the machine has a working driver, and it sees a GPU, or Create says plainly that it has none.
TEST(DriverTest, IsEitherUnavailableOrSeesItsGpus) {
  const auto driver = Driver::Create();
  if (!driver.ok()) {
    EXPECT_EQ(driver.status().code(), absl::StatusCode::kUnavailable) << driver.status();
    EXPECT_FALSE(driver.status().message().empty());
    return;
  }
  const auto count = CountGpus(*driver);
  ASSERT_TRUE(count.ok()) << count.status();
  const auto missing = QueryGpu(*driver, *count);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound) << missing.status();
  for (int ordinal = 0; ordinal < *count; ++ordinal) {
    const auto properties = QueryGpu(*driver, ordinal);
    ASSERT_TRUE(properties.ok()) << properties.status();
    EXPECT_GT(properties->limits.sm_count, 0);
    EXPECT_GT(properties->memory_bytes, 0);
  }
}

}  // namespace
}  // namespace gemmd
