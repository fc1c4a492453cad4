#include "server/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/status.h"
#include "tests/unit/engine/temporary_directory.h"

namespace gemmd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> ComplaintsOf(std::string_view text) {
  DaemonOptions options;
  EXPECT_TRUE(ReadConfigText(text, "f", options).ok());
  std::vector<std::string> lines;
  for (const FileComplaint& complaint : options.complaints) lines.push_back(complaint.line);
  return lines;
}

TEST(ConfigFileTest, SetsWhatItSaysAndNothingElse) {
  DaemonOptions options;
  ASSERT_TRUE(ReadConfigText("listen = ['unix:/a', 'localhost:1']\ncache_bytes = 2_000_000\nlog_format = \"json\"", "f",
                             options)
                  .ok());
  EXPECT_THAT(options.listen, ElementsAre("unix:/a", "localhost:1"));
  EXPECT_EQ(options.cache_bytes, 2'000'000);
  EXPECT_EQ(options.log_format, "json");
  EXPECT_EQ(options.slots, DaemonOptions().slots);
  EXPECT_TRUE(options.complaints.empty());
}

TEST(ConfigFileTest, KeepsThePlaceOfEveryValue) {
  DaemonOptions options;
  ASSERT_TRUE(ReadConfigText("# first\nslots = 3\ndevice = ['host',\n 'cuda:0']\n", "f", options).ok());
  EXPECT_THAT(options.places.at("slots"), ElementsAre("f:2:9"));
  EXPECT_THAT(options.places.at("device"), ElementsAre("f:3:11", "f:4:2"));
}

TEST(ConfigFileTest, ComplainsOfEveryKeyInTheOrderOfTheLines) {
  EXPECT_THAT(ComplaintsOf("slots = '8'\ncach_dir = '/c'\ndevice = ['host', 1]\n[compile_workers]\nlisten = 1\n"),
              ElementsAre("f:1:9: slots: found a string, expected an integer",
                          "f:2:1: \"cach_dir\": is not a key; did you mean \"cache_dir\"?",
                          "f:3:19: device: found an integer, expected a string",
                          "f:4:1: compile_workers: found a table, expected an integer"));
}

TEST(ConfigFileTest, TakesNoValueOfAnotherType) {
  for (const char* value : {"1.0", "true", "2026-01-01", "[1]", "'1'"}) {
    EXPECT_EQ(ComplaintsOf(fmt::format("slots = {}", value)).size(), 1u) << value;
  }
  EXPECT_EQ(ComplaintsOf("listen = 'unix:/a'").size(), 1u);
}

TEST(ConfigFileTest, AFalseListChangesNothing) {
  DaemonOptions options;
  ASSERT_TRUE(ReadConfigText("device = ['host', 1]", "f", options).ok());
  EXPECT_EQ(options.devices, DaemonOptions().devices);
  EXPECT_FALSE(options.places.contains("device"));
}

TEST(ConfigFileTest, NamesThePlaceWhereItIsNoToml) {
  DaemonOptions options;
  const absl::Status status = ReadConfigText("slots = 1\nslots = 2\n", "f.toml", options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("f.toml:2:"));
  EXPECT_THAT(std::string(MessageOf(ReadConfigText("listen = [\n", "f.toml", options))), HasSubstr("f.toml:1:"));
}

TEST(ConfigFileTest, ReadsAFileAndSaysWhichItCannot) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "gemmd.toml";
  std::ofstream(path) << "slots = 5\n";
  DaemonOptions options;
  ASSERT_TRUE(ReadConfigFile(path, options).ok());
  EXPECT_EQ(options.slots, 5);
  const absl::Status absent = ReadConfigFile(directory.path() / "absent", options);
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(MessageOf(absent)), HasSubstr("absent"));
  EXPECT_FALSE(ReadConfigFile(directory.path(), options).ok());
  std::ofstream(directory.path() / "empty").flush();
  EXPECT_TRUE(ReadConfigFile(directory.path() / "empty", options).ok());
}

}  // namespace
}  // namespace gemmd
