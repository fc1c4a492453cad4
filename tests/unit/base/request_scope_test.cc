#include "base/request_scope.h"

#include <gtest/gtest.h>

#include <thread>

namespace gemmd {
namespace {

TEST(RequestScopeTest, NestsAndEnds) {
  EXPECT_EQ(RequestScope::Current(), "");
  {
    const RequestScope outer("outer");
    {
      const RequestScope inner("inner");
      EXPECT_EQ(RequestScope::Current(), "inner");
    }
    EXPECT_EQ(RequestScope::Current(), "outer");
  }
  EXPECT_EQ(RequestScope::Current(), "");
}

TEST(RequestScopeTest, IsOfItsThread) {
  const RequestScope scope("here");
  std::thread([] { EXPECT_EQ(RequestScope::Current(), ""); }).join();
}

}  // namespace
}  // namespace gemmd
