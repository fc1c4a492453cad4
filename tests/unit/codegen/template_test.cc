#include "codegen/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace gemmd {
namespace {

using ::testing::HasSubstr;

TEST(FillTemplateTest, FillsEveryHoleWhereverItStands) {
  const auto text = FillTemplate("${a}+${b}=${a}", {{"a", "1"}, {"b", "2"}});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "1+2=1");
}

TEST(FillTemplateTest, InsertsValuesAsText) {
  const auto text = FillTemplate("<${a}>", {{"a", "${b}"}});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "<${b}>");
}

TEST(FillTemplateTest, RefusesAHoleWithoutAValue) {
  const auto text = FillTemplate("${missing}", {});
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(MessageOf(text.status())), HasSubstr("missing"));
}

TEST(FillTemplateTest, RefusesAValueWithoutAHole) {
  const auto text = FillTemplate("nothing", {{"unused", "1"}});
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(MessageOf(text.status())), HasSubstr("unused"));
}

TEST(FillTemplateTest, RefusesAnUnclosedHole) {
  EXPECT_EQ(FillTemplate("${a", {{"a", "1"}}).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace gemmd
