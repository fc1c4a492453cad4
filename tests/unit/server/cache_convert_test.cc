#include "server/cache_convert.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

namespace gemmd {
namespace {

template <typename Message>
void ExpectMessage(const Message& message, const std::string& text) {
  Message expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &expected));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(message, expected)) << message.DebugString();
}

TEST(CacheConvertTest, AKernelKeepsEveryField) {
  const HeldKernel kernel{.spec_id = "s",
                          .plan_id = "p",
                          .cubin_key = "c",
                          .summary = "relu",
                          .schedule = "simt 64x64x16",
                          .arch = "sm_80",
                          .tier = CacheTier::kDisk,
                          .bytes = 1,
                          .hits = 2,
                          .last_used = absl::FromUnixMillis(3),
                          .loaded_on = {"cuda:0", "host"}};
  ExpectMessage(ToProto(kernel), R"(spec_id: "s" plan_id: "p" cubin_key: "c" summary: "relu" schedule: "simt 64x64x16"
      arch: "sm_80" tier: "disk" bytes: 1 hits: 2 last_used_unix_ms: 3 loaded_on: "cuda:0" loaded_on: "host")");
}

TEST(CacheConvertTest, AnEntryHasItsWorstRegistersAndAllItsSpills) {
  CachedCubins cubins{.cubins = {{.cubin_key = "c",
                                  .bytes = 1,
                                  .last_used = absl::FromUnixMillis(2),
                                  .record = {.arch = "sm_80",
                                             .spec_id = "s",
                                             .plan_id = "p",
                                             .summary = "relu",
                                             .schedule = "simt 64x64x16",
                                             .compile_us = 3,
                                             .usage = {{.entry = "a", .registers = 20, .spill_store_bytes = 1},
                                                       {.entry = "b", .registers = 10, .spill_load_bytes = 2}},
                                             .log = "log",
                                             .verified = Verified::kUnverified},
                                  .damage = {}}},
                      .total_entries = 4,
                      .total_bytes = 5};
  ExpectMessage(ToProto(cubins), R"(entries { cubin_key: "c" bytes: 1 last_used_unix_ms: 2 spec_id: "s" plan_id: "p"
      summary: "relu" schedule: "simt 64x64x16" arch: "sm_80" compile_us: 3 registers: 20 spill_bytes: 3
      verified: "unverified" log: "log" } total_entries: 4 total_bytes: 5)");
}

TEST(CacheConvertTest, ADamagedEntrySaysNoMore) {
  const CachedCubin cubin{
      .cubin_key = "c", .bytes = 1, .last_used = absl::FromUnixMillis(2), .record = {}, .damage = "cut short"};
  ExpectMessage(ToProto(cubin), R"(cubin_key: "c" bytes: 1 last_used_unix_ms: 2 damage: "cut short")");
}

TEST(CacheConvertTest, EveryCounterHasItsField) {
  CacheStats stats;
  stats.engine = {.compiler = {.compiles = 1, .failures = 2, .compile_us = 3},
                  .memory_hits = 4,
                  .disk_hits = 0,
                  .rejected_candidates = 5,
                  .joined_flights = 6,
                  .memory = {.kernels = 7, .bytes = 8, .max_bytes = 9, .evicted = 10}};
  stats.disk = {.hits = 11, .misses = 12, .quarantined = 13, .evicted = 14, .errors = 15};
  stats.disk_entries = 16;
  stats.disk_bytes = 17;
  stats.disk_max_bytes = 18;
  ExpectMessage(ToProto(stats), R"(
      compiler { compiles: 1 failures: 2 compile_us: 3 rejected_candidates: 5 }
      memory { kernels: 7 bytes: 8 max_bytes: 9 hits: 4 joined: 6 evicted: 10 }
      disk { entries: 16 bytes: 17 max_bytes: 18 hits: 11 misses: 12 quarantined: 13 evicted: 14 errors: 15 })");
}

absl::StatusOr<PurgeSelection> Selection(const std::string& text) {
  v1::PurgeCacheRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request));
  return FromProto(request, absl::FromUnixSeconds(1000));
}

TEST(CacheConvertTest, ReadsEverySelection) {
  EXPECT_EQ(std::get<PurgeKey>(Selection("cubin_key: 'ab'").value()).key, "ab");
  EXPECT_EQ(std::get<PurgeUnusedSince>(Selection("unused_for_seconds: 60").value()).time, absl::FromUnixSeconds(940));
  EXPECT_TRUE(std::holds_alternative<PurgeAll>(Selection("all: true").value()));
}

TEST(CacheConvertTest, WhatSelectsNothingPurgesNothing) {
  for (const char* text : {"", "cubin_key: ''", "all: false", "unused_for_seconds: -1"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Selection(text).status())) << text;
  }
}

TEST(CacheConvertTest, NoLimitMeansAThousand) {
  EXPECT_EQ(LimitFromProto(0).value(), 1000u);
  EXPECT_EQ(LimitFromProto(5).value(), 5u);
  EXPECT_TRUE(absl::IsInvalidArgument(LimitFromProto(-1).status()));
}

}  // namespace
}  // namespace gemmd
