// gemmctl kernels, stats, cache and quarantine.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "gemmctl_fixture.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

class CacheCommandsTest : public GemmctlTest {
 protected:
  CacheCommandsTest() {
    const std::int64_t hours_ago = absl::ToUnixMillis(absl::Now() - absl::Hours(3) - absl::Minutes(1));
    entries_.set_total_entries(2);
    entries_.set_total_bytes(3000);
    Fill(R"(cubin_key: "0123456789abcdef" bytes: 1536 spec_id: "5bec" plan_id: "91a4" summary: "f16 relu"
            schedule: "wgmma 128x128x64" arch: "sm_90a" compile_us: 654321 registers: 168 verified: "unverified"
            log: "ptxas info")");
    Fill(R"(cubin_key: "0999" bytes: 100 damage: "cut short")");
    for (v1::CacheEntry& entry : *entries_.mutable_entries()) entry.set_last_used_unix_ms(hours_ago);
    daemon_.list_cache = [this](const v1::ListCacheRequest& request, v1::ListCacheResponse& response) {
      for (const v1::CacheEntry& entry : entries_.entries()) {
        if (entry.cubin_key().starts_with(request.key_prefix())) *response.add_entries() = entry;
      }
      response.set_total_entries(response.entries_size());
      response.set_total_bytes(3000);
      return grpc::Status::OK;
    };
    daemon_.purge_cache = [this](const v1::PurgeCacheRequest& request, v1::PurgeCacheResponse& response) {
      purge_ = request;
      response.set_disk_entries(2);
      response.set_disk_bytes(2048);
      response.set_memory_kernels(1);
      return grpc::Status::OK;
    };
  }

  void Fill(const std::string& text) {
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, entries_.add_entries()));
  }

  v1::ListCacheResponse entries_;
  v1::PurgeCacheRequest purge_;
};

TEST_F(CacheCommandsTest, KernelsAreATableForPeople) {
  daemon_.list_kernels = [](const v1::ListKernelsRequest&, v1::ListKernelsResponse& response) {
    v1::HeldKernel& kernel = *response.add_kernels();
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        R"(plan_id: "1bf119a12fb5ffff" summary: "f16 relu" schedule: "wgmma 128x128x64" arch: "sm_90a"
           tier: "memory" bytes: 34320 hits: 12 loaded_on: "cuda:0" loaded_on: "host")",
        &kernel));
    kernel.set_last_used_unix_ms(absl::ToUnixMillis(absl::Now() - absl::Seconds(90)));
    return grpc::Status::OK;
  };
  const Ended text = Run("kernels");
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("PLAN_ID       TIER    ARCH    SCHEDULE          SIZE      HITS  USED   ON"));
  EXPECT_THAT(text.out,
              HasSubstr("1bf119a12fb5  memory  sm_90a  wgmma 128x128x64  33.5 KiB  12    1 min  cuda:0,host"));
  const Ended json = Run("--json kernels");
  EXPECT_THAT(json.out, HasSubstr("\"plan_id\": \"1bf119a12fb5ffff\""));
  EXPECT_THAT(json.out, HasSubstr("\"hits\": 12"));
}

TEST_F(CacheCommandsTest, StatsHaveEveryCounter) {
  daemon_.get_stats = [](v1::Stats& stats) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        R"(uptime_ms: 7200000 compiler { compiles: 1 failures: 2 compile_us: 3500000 rejected_candidates: 4 }
           memory { kernels: 5 bytes: 6144 max_bytes: 268435456 hits: 7 joined: 8 evicted: 9 }
           disk { entries: 10 bytes: 11264 max_bytes: 4294967296 hits: 12 misses: 13 quarantined: 14 evicted: 15
                  errors: 16 }
           devices { id: "host" launches: 17 loaded_kernels: 18 })",
        &stats));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run("stats").out,
            "up:        2 h\n"
            "compiler:  1 compiles in 3.5 s, 2 failed, 4 candidates rejected\n"
            "memory:    5 kernels, 6.0 KiB of 256.0 MiB; 7 hits, 8 joined a compile, 9 evicted\n"
            "disk:      10 entries, 11.0 KiB of 4.0 GiB; 12 hits, 13 misses, 15 evicted, 14 quarantined, 16 errors\n"
            "host:      17 launches, 18 kernels loaded\n");
  const Ended json = Run("stats --json");
  for (const char* part : {"\"compiles\": 1", "\"failures\": 2", "\"compile_us\": 3500000", "\"joined\": 8",
                           "\"quarantined\": 14", "\"errors\": 16", "\"loaded_kernels\": 18"}) {
    EXPECT_THAT(json.out, HasSubstr(part));
  }
}

TEST_F(CacheCommandsTest, AListNamesDamageAndTotals) {
  const Ended ended = Run("cache list");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("0123456789ab  sm_90a  wgmma 128x128x64  1.5 KiB  3 h   654 ms   f16 relu"));
  EXPECT_THAT(ended.out, HasSubstr("damaged: cut short"));
  EXPECT_THAT(ended.out, HasSubstr("2 entries, 2.9 KiB\n"));
}

TEST_F(CacheCommandsTest, ShowTakesTheFirstDigitsOfAKey) {
  const Ended ended = Run("cache show 01234");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("cubin_key: 0123456789abcdef\n"));
  EXPECT_THAT(ended.out, HasSubstr("last used 3 h ago"));
  EXPECT_THAT(ended.out, HasSubstr("168 registers"));
  EXPECT_THAT(ended.out, HasSubstr("ptxas info\n"));
  EXPECT_THAT(Run("cache show 09").out, HasSubstr("damaged:   cut short"));
  EXPECT_THAT(Run("--json cache show 01").out, HasSubstr("\"compile_us\": 654321"));
}

TEST_F(CacheCommandsTest, ShowRefusesAKeyOfNoneOrSeveral) {
  const Ended none = Run("cache show 77");
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("\"77\": not on disk"));
  const Ended several = Run("cache show 0");
  EXPECT_EQ(several.code, 2);
  EXPECT_THAT(several.err, HasSubstr("2 entries begin with it"));
}

TEST_F(CacheCommandsTest, PurgeSendsWhatWasChosen) {
  EXPECT_THAT(Run("cache purge --key 01234").out,
              HasSubstr("purged 2 entries on disk (2.0 KiB) and 1 kernels in memory"));
  EXPECT_EQ(purge_.cubin_key(), "01234");
  for (const auto& [age, seconds] : {std::pair{"90s", 90}, {"15m", 900}, {"12h", 43200}, {"30d", 2592000}}) {
    EXPECT_EQ(Run(std::string("cache purge --older-than ") + age).code, 0);
    EXPECT_EQ(purge_.unused_for_seconds(), seconds);
  }
  EXPECT_THAT(Run("cache purge --all --json").out, HasSubstr("\"disk_entries\": 2"));
  EXPECT_TRUE(purge_.all());
}

TEST_F(CacheCommandsTest, PurgeWithoutOneChoiceIsWrongUsage) {
  for (const char* arguments : {"", "--all --key 01", "--older-than 5", "--older-than -5s", "--older-than 5w",
                                "--older-than 99999999999d", "--all --older-than 5s"}) {
    EXPECT_EQ(Run(std::string("cache purge ") + arguments).code, 1) << arguments;
    EXPECT_EQ(purge_.selection_case(), v1::PurgeCacheRequest::SELECTION_NOT_SET);
  }
  EXPECT_EQ(Run("cache").code, 1);
}

TEST_F(CacheCommandsTest, QuarantinedKernelsAreListedWithTheirLastFault) {
  daemon_.list_quarantine = [](v1::ListQuarantineResponse& response) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        R"(kernels { plan_id: "1bf119a12fb5ffff" device: "cuda:1" faults: 3 refused: 7 summary: "f16 relu"
                     last_fault: "the worker of cuda:1 was killed by SIGSEGV" })",
        &response));
    response.mutable_kernels(0)->set_since_unix_ms(absl::ToUnixMillis(absl::Now() - absl::Seconds(90)));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run("quarantine list").out,
            "PLAN_ID       DEVICE  FAULTS  SINCE  REFUSED  SPEC      LAST FAULT\n"
            "1bf119a12fb5  cuda:1  3       1 min  7        f16 relu  the worker of cuda:1 was killed by SIGSEGV\n");
  const Ended json = Run("quarantine list --json");
  for (const char* part : {"\"plan_id\": \"1bf119a12fb5ffff\"", "\"device\": \"cuda:1\"", "\"refused\": 7"}) {
    EXPECT_THAT(json.out, HasSubstr(part));
  }
}

TEST_F(CacheCommandsTest, ReleaseSendsWhatWasChosen) {
  v1::ReleaseQuarantineRequest release;
  daemon_.release_quarantine = [&](const v1::ReleaseQuarantineRequest& request,
                                   v1::ReleaseQuarantineResponse& response) {
    release = request;
    response.set_released(2);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run("quarantine release").code, 1);
  EXPECT_EQ(Run("quarantine release --all --plan 1bf1").code, 1);
  EXPECT_EQ(release.selection_case(), v1::ReleaseQuarantineRequest::SELECTION_NOT_SET);
  EXPECT_EQ(Run("quarantine release --plan 1bf1").out, "released 2\n");
  EXPECT_EQ(release.plan_id(), "1bf1");
  EXPECT_THAT(Run("quarantine release --all --json").out, HasSubstr("\"released\": 2"));
  EXPECT_TRUE(release.all());
}

TEST_F(CacheCommandsTest, AnEmptyKeyIsSentAsAKey) {
  EXPECT_EQ(Run("cache purge --key ''").code, 0);
  EXPECT_EQ(purge_.selection_case(), v1::PurgeCacheRequest::kCubinKey);
}

}  // namespace
}  // namespace gemmd
