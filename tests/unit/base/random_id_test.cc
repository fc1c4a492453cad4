#include "base/random_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gemmd {
namespace {

TEST(RandomHexTest, HasTwoLowerCaseDigitsAByteAndNeverRepeats) {
  const std::string first = RandomHex(16).value(), second = RandomHex(16).value();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(first.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace gemmd
