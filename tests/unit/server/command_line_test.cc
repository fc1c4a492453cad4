#include "server/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "server/config_file.h"
#include "tests/unit/engine/temporary_directory.h"

namespace gemmd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CommandLine Read(std::vector<std::string> arguments) {
  std::vector<const char*> argv = {"gemmd"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  const auto read = ReadCommandLine(static_cast<int>(argv.size()), argv.data(), DaemonOptions(), "1");
  EXPECT_TRUE(std::holds_alternative<CommandLine>(read));
  return std::holds_alternative<CommandLine>(read) ? std::get<CommandLine>(read) : CommandLine();
}

TEST(OptionsTest, EveryOptionHasAKeyAndAFieldOfItsOwn) {
  std::set<std::string_view> keys;
  for (const DaemonOption& option : AllOptions()) {
    keys.insert(option.key);
    DaemonOptions changed;
    std::visit(
        [&](auto field) {
          using Value = std::remove_reference_t<decltype(changed.*field)>;
          if constexpr (std::is_same_v<Value, std::int64_t>) changed.*field = -7;
          if constexpr (std::is_same_v<Value, std::string>) changed.*field = "other";
          if constexpr (std::is_same_v<Value, std::vector<std::string>>) changed.*field = {"other"};
        },
        option.field);
    for (const DaemonOption& other : AllOptions()) {
      EXPECT_EQ(SameValue(other, changed, DaemonOptions()), other.key != option.key) << option.key << " " << other.key;
    }
  }
  EXPECT_EQ(keys.size(), AllOptions().size());
}

TEST(OptionsTest, AFlagIsItsKeyWithHyphens) { EXPECT_EQ(FlagOf("memory_cache_bytes"), "--memory-cache-bytes"); }

TEST(CommandLineTest, TellsWhatWasGivenFromDefaults) {
  const CommandLine line = Read({"--slots", "3", "--device", "host", "--device", "cuda:0"});
  EXPECT_EQ(line.flags.slots, 3);
  EXPECT_THAT(line.flags.devices, ElementsAre("host", "cuda:0"));
  ASSERT_EQ(line.given.size(), 2u);
  EXPECT_EQ(line.given[0]->key, "device");
  EXPECT_EQ(line.given[1]->key, "slots");
  EXPECT_THAT(Read({}).given, IsEmpty());
}

TEST(CommandLineTest, AFlagOverridesTheFileAndTheFileTheDefault) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "gemmd.toml").string();
  std::ofstream(path) << "slots = 5\nlog_level = 'debug'\nlisten = ['unix:/file']\n";
  const auto options =
      GatherOptions(Read({"--config", path, "--slots", "3", "--listen", "unix:/flag"}), DaemonOptions());
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->slots, 3);
  EXPECT_EQ(options->log_level, "debug");
  EXPECT_THAT(options->listen, ElementsAre("unix:/flag"));
  EXPECT_EQ(options->drain_ms, DaemonOptions().drain_ms);
  EXPECT_FALSE(options->places.contains("slots"));  // it is the flag's now
  EXPECT_TRUE(options->places.contains("log_level"));
}

TEST(CommandLineTest, WrongUsageEndsTheProgramWith2) {
  const char* const argv[] = {"gemmd", "--slots", "many"};
  testing::internal::CaptureStderr();
  const auto read = ReadCommandLine(3, argv, DaemonOptions(), "1");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("--slots"));
  ASSERT_TRUE(std::holds_alternative<ProgramExit>(read));
  EXPECT_EQ(std::get<ProgramExit>(read).code, kBadUsage);
}

}  // namespace
}  // namespace gemmd
