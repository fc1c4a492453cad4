#include "base/digest.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

namespace gemmd {
namespace {

std::string Of(std::string_view domain, std::string_view tag, std::string_view value) {
  return Digest(domain).Add(tag, value).FinishHex();
}

TEST(DigestTest, IsTheSha256OfTheTaggedBytes) {
  // sha256(b'd' + u64(5) + b'gemmd' + u64(1) + b'x' + b's' + u64(1) + b'a' + u64(2) + b'bc'), integers little-endian.
  EXPECT_EQ(Of("x", "a", "bc"), "d3eddde537306aa7588626ad5064bfacfd392fbce3c3d5cf235be74abee089f8");
}

TEST(DigestTest, MovingABoundaryChangesIt) {
  EXPECT_NE(Of("x", "ab", "c"), Of("x", "a", "bc"));
  EXPECT_NE(Of("xa", "", "bc"), Of("x", "a", "bc"));
}

TEST(DigestTest, DomainsDiffer) { EXPECT_NE(Of("spec_id", "a", "b"), Of("plan_id", "a", "b")); }

TEST(DigestTest, OrderMatters) {
  EXPECT_NE(Digest("x").Add("a", "1").Add("b", "2").FinishHex(), Digest("x").Add("b", "2").Add("a", "1").FinishHex());
}

TEST(DigestTest, AnIntegerIsNotTheTextOfItsBytes) {
  EXPECT_NE(Digest("x").Add("a", std::int64_t{65}).FinishHex(), Of("x", "a", std::string_view("A\0\0\0\0\0\0\0", 8)));
}

TEST(DigestTest, FloatsDifferByBitPattern) {
  EXPECT_NE(Digest("x").AddFloat("a", 0.0F).FinishHex(), Digest("x").AddFloat("a", -0.0F).FinishHex());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Digest("x").AddFloat("a", nan).FinishHex(), Digest("x").AddFloat("a", nan).FinishHex());
}

TEST(DigestTest, MovesWithWhatItHolds) {
  Digest first("x");
  first.Add("a", "b");
  Digest second = std::move(first);
  EXPECT_EQ(second.FinishHex(), Of("x", "a", "b"));
}

}  // namespace
}  // namespace gemmd
