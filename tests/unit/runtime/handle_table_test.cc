#include "runtime/handle_table.h"

#include <gtest/gtest.h>

#include <string>

namespace gemmd {
namespace {

enum class Id : std::uint64_t {};
using Table = HandleTable<Id, std::string>;

TEST(HandleTableTest, FindsWhatItHolds) {
  Table table("string");
  const Id id = table.Insert(std::make_shared<std::string>("a"));
  EXPECT_EQ(**table.Find(id), "a");
}

TEST(HandleTableTest, NeverUsesAnIdAgain) {
  Table table("string");
  const Id first = table.Insert(std::make_shared<std::string>("a"));
  ASSERT_TRUE(table.Remove(first).ok());
  EXPECT_NE(table.Insert(std::make_shared<std::string>("b")), first);
}

TEST(HandleTableTest, DoesNotFindWhatWasRemoved) {
  Table table("string");
  const Id id = table.Insert(std::make_shared<std::string>("a"));
  ASSERT_TRUE(table.Remove(id).ok());
  EXPECT_EQ(table.Find(id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(table.Remove(id).status().code(), absl::StatusCode::kNotFound);
}

TEST(HandleTableTest, ZeroIsNeverAnId) {
  Table table("string");
  EXPECT_NE(table.Insert(std::make_shared<std::string>("a")), Id{});
  EXPECT_FALSE(table.Find(Id{}).ok());
}

TEST(HandleTableTest, AnObjectInUseOutlivesItsRemoval) {
  Table table("string");
  const Id id = table.Insert(std::make_shared<std::string>("a"));
  const auto held = table.Find(id);
  ASSERT_TRUE(table.Remove(id).ok());
  EXPECT_EQ(**held, "a");
}

}  // namespace
}  // namespace gemmd
