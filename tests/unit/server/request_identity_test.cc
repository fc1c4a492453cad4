#include "server/request_identity.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

constexpr char kTrace[] = "0af7651916cd43dd8448eb211c80319c";
constexpr char kParent[] = "b7ad6b7169203331";

std::string Traceparent(const std::string& version, const std::string& rest = "") {
  return version + "-" + kTrace + "-" + kParent + "-01" + rest;
}

TEST(RequestIdentityTest, KeepsAClientsId) {
  for (const char* id : {"a", "job-17/step_3:retry.2", "0123456789ABCDEF"}) {
    EXPECT_EQ(MakeRequestIdentity(id, "").request_id, id);
  }
  EXPECT_EQ(MakeRequestIdentity(std::string(128, 'x'), "").request_id, std::string(128, 'x'));
}

TEST(RequestIdentityTest, MakesOneWhereItIsAbsentOrMalformed) {
  for (const std::string& id : {std::string(), std::string(129, 'x'), std::string("two words"), std::string("a\nb"),
                                std::string("a\"b"), std::string("\xC3\xA4"), std::string("a\0b", 3)}) {
    const std::string made = MakeRequestIdentity(id, "").request_id;
    EXPECT_EQ(made.size(), 32u) << id;
    EXPECT_NE(made, MakeRequestIdentity(id, "").request_id);
  }
}

TEST(RequestIdentityTest, TakesUpATraceContext) {
  for (const std::string& text : {Traceparent("00"), Traceparent("01"), Traceparent("cc", "-more")}) {
    const RequestIdentity identity = MakeRequestIdentity("a", text);
    EXPECT_EQ(identity.trace_id, kTrace) << text;
    EXPECT_EQ(identity.parent_id, kParent) << text;
  }
}

TEST(RequestIdentityTest, AMalformedTraceContextCountsAsNone) {
  const std::string zero_trace = std::string("00-") + std::string(32, '0') + "-" + kParent + "-01";
  const std::string zero_parent = std::string("00-") + kTrace + "-" + std::string(16, '0') + "-01";
  std::string upper = Traceparent("00");
  upper[5] = 'F';
  std::string shifted = Traceparent("00");
  shifted[35] = '0';
  for (const std::string& text :
       {std::string(), std::string("00"), zero_trace, zero_parent, upper, shifted, Traceparent("ff"), Traceparent("0g"),
        Traceparent("00", "-more"), Traceparent("01", "more"), Traceparent("00").substr(0, 54)}) {
    const RequestIdentity identity = MakeRequestIdentity("a", text);
    EXPECT_EQ(identity.trace_id, "") << text;
    EXPECT_EQ(identity.parent_id, "") << text;
  }
}

}  // namespace
}  // namespace gemmd
