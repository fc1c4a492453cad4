#include "tune/tuning_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "sample_record.h"

namespace gemmd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string ErrorOf(const std::string& text) {
  const auto records = RecordsFromJson(text);
  EXPECT_TRUE(absl::IsInvalidArgument(records.status()));
  return std::string(MessageOf(records.status()));
}

// The text with one occurrence of `from` replaced.
std::string With(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(RecordsJsonTest, BringsRecordsBackAsTheyWere) {
  std::vector<TuningRecord> records = {SampleRecord("one"), SampleRecord("two")};
  records[1].key.m = {};
  records[1].config.rows = RowSchedule::kTwoKernels;
  records[1].config.packing = Packing::kBoth;
  records[1].config.cluster_k = 4;
  const auto read = RecordsFromJson(RecordsToJson(records));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, records);
  EXPECT_TRUE(RecordsFromJson(RecordsToJson({}))->empty());
}

TEST(RecordsJsonTest, NamesWhatIsMissingInEachRecord) {
  std::string text = RecordsToJson({SampleRecord("one"), SampleRecord("two"), SampleRecord("three")});
  text = With(text, "\"tile_m\": 64", "\"tile_m\": \"wide\"");
  const std::size_t last = text.rfind("\"driver\"");
  text.replace(last, 8, "\"drover\"");
  EXPECT_THAT(ErrorOf(text), AllOf(HasSubstr("records[0]: tile_m"), HasSubstr("records[2]: driver")));
}

TEST(RecordsJsonTest, RefusesOtherTextsAndVersions) {
  EXPECT_THAT(ErrorOf("not json"), HasSubstr("tuning records"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("version"));
  EXPECT_THAT(ErrorOf(With(RecordsToJson({}), "\"version\": 1", "\"version\": 2")), HasSubstr("version"));
}

TEST(RecordsJsonTest, RefusesNumbersThatNoConfigHas) {
  const std::string text = RecordsToJson({SampleRecord()});
  EXPECT_THAT(ErrorOf(With(text, "\"micro_m\": 64", "\"micro_m\": 0")), HasSubstr("micro_m"));
  EXPECT_THAT(ErrorOf(With(text, "\"micro_m\": 64", "\"micro_m\": 99999999")), HasSubstr("micro_m"));
  EXPECT_THAT(ErrorOf(With(text, "\"m_min\": 257", "\"m_min\": 513")), HasSubstr("m_max"));
}

TEST(PromisesOfTest, TellsAssumptionsApart) {
  EXPECT_EQ(PromisesOf({{16, 8}, {4}}), "16,8>4");
  EXPECT_NE(PromisesOf({{16, 8}, {4}}), PromisesOf({{16}, {8, 4}}));
}

}  // namespace
}  // namespace gemmd
