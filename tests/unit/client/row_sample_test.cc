#include "client/verify/row_sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace gemmd {
namespace {

TEST(RowSampleTest, TakesEveryRowOfAShortResult) {
  EXPECT_THAT(SampleRows(5, 64, 0), testing::ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(SampleRows(0, 64, 0), testing::IsEmpty());
}

TEST(RowSampleTest, TakesEdgesAndBothSidesOfTileBoundaries) {
  const std::vector<std::int64_t> rows = SampleRows(1000, 64, 0);
  EXPECT_EQ(rows.size(), 64u);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
  EXPECT_THAT(rows, testing::IsSupersetOf(
                        {0, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 767, 768, 895, 896, 959, 960, 991, 992, 999}));
}

TEST(RowSampleTest, DependsOnTheSeedAlone) {
  EXPECT_EQ(SampleRows(8192, 64, 1), SampleRows(8192, 64, 1));
  EXPECT_NE(SampleRows(8192, 64, 1), SampleRows(8192, 64, 2));
}

TEST(RowSampleTest, KeepsTheEdgesWhenFewRowsAreWanted) {
  EXPECT_THAT(SampleRows(8192, 2, 0), testing::ElementsAre(0, 8191));
}

}  // namespace
}  // namespace gemmd
