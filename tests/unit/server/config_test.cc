#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "server/config_file.h"

namespace gemmd {
namespace {

using testing::HasSubstr;
using testing::Not;

DaemonOptions Options() {
  DaemonOptions options;
  options.listen = {"unix:/tmp/gemmd.sock", "localhost:50051", "[::1]:0"};
  options.cache_directory = "/var/cache/gemmd";
  options.devices = {"host", "cuda:1"};
  return options;
}

TEST(ConfigTest, TakesUnixAndTcpAddresses) {
  const auto config = MakeConfig(Options());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen[0].socket, "/tmp/gemmd.sock");
  EXPECT_TRUE(config->listen[1].socket.empty());
  EXPECT_EQ(config->listen[2].text, "[::1]:0");
}

TEST(ConfigTest, TakesTheDevicesThatAreNamed) {
  const auto config = MakeConfig(Options());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->devices.all);
  EXPECT_TRUE(config->devices.host);
  EXPECT_EQ(config->devices.cuda_ordinals, std::vector<int>{1});
}

TEST(ConfigTest, KnowsTheLimitsOfTheDefaultArch) {
  const auto config = MakeConfig(Options());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(Name(config->default_limits.arch), "sm_90a");
  EXPECT_GT(config->default_limits.sm_count, 0);
}

TEST(ConfigTest, MetricsAreForThisMachineUnlessAHostIsNamed) {
  EXPECT_FALSE(MakeConfig(Options())->metrics.has_value());
  const std::pair<const char*, const char*> hosts[] = {
      {"9464", "127.0.0.1"}, {":9464", "127.0.0.1"}, {"0.0.0.0:9464", "0.0.0.0"}, {"[::1]:9464", "::1"}};
  for (const auto& [text, host] : hosts) {
    DaemonOptions options = Options();
    options.metrics_address = text;
    const auto config = MakeConfig(options);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->metrics->host, host);
    EXPECT_EQ(config->metrics->port, 9464);
  }
}

struct BadOption {
  const char* flag;
  void (*apply)(DaemonOptions&);
};

class BadOptionTest : public testing::TestWithParam<BadOption> {};

TEST_P(BadOptionTest, IsRefusedByItsFlag) {
  DaemonOptions options = Options();
  GetParam().apply(options);
  const auto config = MakeConfig(options);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(MessageOf(config.status())), HasSubstr(GetParam().flag));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadOptionTest,
    testing::Values(BadOption{"--listen", [](DaemonOptions& o) { o.listen.clear(); }},
                    BadOption{"--listen", [](DaemonOptions& o) { o.listen[0] = "unix:relative.sock"; }},
                    BadOption{"--listen", [](DaemonOptions& o) { o.listen[0] = "unix:/" + std::string(200, 's'); }},
                    BadOption{"--listen", [](DaemonOptions& o) { o.listen[0] = "host:65536"; }},
                    BadOption{"--listen", [](DaemonOptions& o) { o.listen[0] = "host:12x"; }},
                    BadOption{"--listen", [](DaemonOptions& o) { o.listen[0] = "host"; }},
                    BadOption{"--cache-dir", [](DaemonOptions& o) { o.cache_directory = "here"; }},
                    BadOption{"--cache-dir", [](DaemonOptions& o) { o.cache_directory = ""; }},
                    BadOption{"--cache-bytes", [](DaemonOptions& o) { o.cache_bytes = 0; }},
                    BadOption{"--memory-cache-bytes", [](DaemonOptions& o) { o.memory_cache_bytes = -1; }},
                    BadOption{"--tuning-records", [](DaemonOptions& o) { o.tuning_records = "here.db"; }},
                    BadOption{"--default-arch", [](DaemonOptions& o) { o.default_arch = "sm_1"; }},
                    BadOption{"--device", [](DaemonOptions& o) { o.devices = {"cuda:"}; }},
                    BadOption{"--device", [](DaemonOptions& o) { o.devices = {"gpu"}; }},
                    BadOption{"--device", [](DaemonOptions& o) { o.devices = {}; }},
                    BadOption{"--slots", [](DaemonOptions& o) { o.slots = 0; }},
                    BadOption{"--compile-workers", [](DaemonOptions& o) { o.compile_workers = 0; }},
                    BadOption{"--launch-queue", [](DaemonOptions& o) { o.launch_queue = -1; }},
                    BadOption{"--compile-queue", [](DaemonOptions& o) { o.compile_queue = 1 << 21; }},
                    BadOption{"--staging-bytes", [](DaemonOptions& o) { o.staging_bytes = 1; }},
                    BadOption{"--call-threads", [](DaemonOptions& o) { o.call_threads = 1; }},
                    BadOption{"--slots", [](DaemonOptions& o) { o.slots = std::int64_t{1} << 32; }},
                    BadOption{"--drain-ms", [](DaemonOptions& o) { o.drain_ms = -1; }},
                    BadOption{"--metrics-address", [](DaemonOptions& o) { o.metrics_address = "here"; }},
                    BadOption{"--metrics-address", [](DaemonOptions& o) { o.metrics_address = "a:65536"; }},
                    BadOption{"--log-level", [](DaemonOptions& o) { o.log_level = "loud"; }},
                    BadOption{"--log-format", [](DaemonOptions& o) { o.log_format = "xml"; }}));

TEST(ConfigTest, SaysAllThatIsWrongAtOnce) {
  DaemonOptions options = Options();
  options.slots = 0;
  options.log_level = "loud";
  const std::string message(MessageOf(MakeConfig(options).status()));
  EXPECT_THAT(message, HasSubstr("--slots: found 0, expected at least 1"));
  EXPECT_THAT(message, HasSubstr("--log-level: found loud"));
}

TEST(ConfigTest, NamesTheElementAndItsPlaceInTheFile) {
  DaemonOptions options = Options();
  ASSERT_TRUE(ReadConfigText("slots = 0\nlisten = [\"unix:/a\",\n  \"nowhere\"]\n", "f.toml", options).ok());
  const std::string message(MessageOf(MakeConfig(options).status()));
  EXPECT_THAT(message, HasSubstr("f.toml:1:9: slots: found 0, expected at least 1"));
  EXPECT_THAT(message, HasSubstr("f.toml:3:3: listen: found nowhere, expected unix:/path"));
  EXPECT_THAT(message, Not(HasSubstr("--")));
}

TEST(ConfigTest, SaysWhatTheFileAndItsValuesHaveWrongAtOnce) {
  DaemonOptions options = Options();
  ASSERT_TRUE(ReadConfigText("slot = 1\nlisten = 5\nlog_level = \"loud\"\n", "f.toml", options).ok());
  options.listen.clear();
  EXPECT_EQ(MessageOf(MakeConfig(options).status()),
            "f.toml:1:1: \"slot\": is not a key; did you mean \"slots\"?\n"
            "f.toml:2:10: listen: found an integer, expected a list of strings\n"
            "f.toml:3:13: log_level: found loud, expected debug, info, warning or error");
}

}  // namespace
}  // namespace gemmd
