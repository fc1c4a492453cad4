#include "engine/cubin_record.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

CubinRecord Record() {
  return {.arch = "sm_90a",
          .spec_id = "5bec",
          .plan_id = "91a4",
          .summary = "f16 [M,K] x f16 [K,N] -> store f16",
          .schedule = "wgmma 128x128x64",
          .compile_us = 12345,
          .usage = {{.entry = "gemm",
                     .registers = 168,
                     .spill_store_bytes = 4,
                     .spill_load_bytes = 8,
                     .static_shared_bytes = 16}},
          .log = "ptxas info \"quoted\"\n",
          .verified = Verified::kVerified};
}

TEST(CubinRecordTest, SurvivesItsJson) {
  const auto read = RecordFromJson(RecordToJson(Record()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->arch, "sm_90a");
  EXPECT_EQ(read->spec_id, "5bec");
  EXPECT_EQ(read->plan_id, "91a4");
  EXPECT_EQ(read->summary, Record().summary);
  EXPECT_EQ(read->schedule, "wgmma 128x128x64");
  EXPECT_EQ(read->compile_us, 12345);
  EXPECT_EQ(read->log, Record().log);
  EXPECT_EQ(read->verified, Verified::kVerified);
  ASSERT_EQ(read->usage.size(), 1u);
  EXPECT_EQ(read->usage[0].entry, "gemm");
  EXPECT_EQ(read->usage[0].registers, 168);
  EXPECT_EQ(read->usage[0].spill_store_bytes, 4);
  EXPECT_EQ(read->usage[0].spill_load_bytes, 8);
  EXPECT_EQ(read->usage[0].static_shared_bytes, 16);
}

class MalformedRecordTest : public testing::TestWithParam<std::string> {};

TEST_P(MalformedRecordTest, IsDataLoss) {
  EXPECT_EQ(RecordFromJson(GetParam()).status().code(), absl::StatusCode::kDataLoss);
}

std::string With(std::string_view from, std::string_view to) {
  std::string text = RecordToJson(Record());
  return text.replace(text.find(from), from.size(), to);
}

INSTANTIATE_TEST_SUITE_P(All, MalformedRecordTest,
                         testing::Values("", "[]", "{}", "{\"arch\":", With("12345", "\"12345\""),
                                         With("\"plan_id\":\"91a4\",", ""),
                                         With("\"verified\":\"verified\"", "\"verified\":\"sure\""),
                                         With("\"registers\":168,", ""), With("[{", "[3,{")));

}  // namespace
}  // namespace gemmd
