#include "base/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace gemmd {
namespace {

TEST(LoggingTest, JsonLinesParseWhateverIsLogged) {
  std::ostringstream stream;
  MakeLoggerTo(stream, "server", LogLevel::kInfo, LogFormat::kJson)->warn("a \"quoted\"\nline \xff{}", 1);
  const auto line = nlohmann::json::parse(stream.str());
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["logger"], "server");
  EXPECT_EQ(line["message"],
            "a \"quoted\"\nline \xEF\xBF\xBD"
            "1");
  EXPECT_THAT(line["time"].get<std::string>(), testing::MatchesRegex("....-..-..T..:..:..[.]......Z"));
}

TEST(LoggingTest, TextNamesLevelAndLogger) {
  std::ostringstream stream;
  MakeLoggerTo(stream, "server", LogLevel::kInfo, LogFormat::kText)->error("gone");
  EXPECT_THAT(stream.str(), testing::EndsWith(" error server: gone\n"));
}

TEST(LoggingTest, LeavesOutWhatIsBelowTheLevel) {
  std::ostringstream stream;
  MakeLoggerTo(stream, "server", LogLevel::kWarning, LogFormat::kText)->info("chatter");
  EXPECT_EQ(stream.str(), "");
}

TEST(LogLevelTest, EveryNameLeadsBackToItsLevel) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    EXPECT_EQ(LogLevelFromName(Name(level)), level);
  }
  EXPECT_EQ(LogLevelFromName("loud"), std::nullopt);
}

}  // namespace
}  // namespace gemmd
