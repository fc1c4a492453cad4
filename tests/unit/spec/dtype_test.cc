#include "spec/dtype.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

TEST(DTypeTest, EveryNameFindsItsType) {
  for (DType dtype : AllDTypes()) EXPECT_EQ(DTypeFromName(Name(dtype)), dtype) << Name(dtype);
}

TEST(DTypeTest, UnknownNamesFindNothing) {
  for (const char* name : {"", "fp16", "F16", "f64"}) EXPECT_EQ(DTypeFromName(name), std::nullopt) << name;
}

TEST(DTypeTest, OnlyTheFloatsOfTwoAndFourBytesAreImplemented) {
  for (DType dtype : AllDTypes()) {
    const bool expected = dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBf16;
    EXPECT_EQ(IsImplemented(dtype), expected) << Name(dtype);
  }
}

TEST(DTypeTest, IndicesAreStoredBesideWhatIsComputed) {
  for (DType dtype : AllDTypes()) EXPECT_EQ(IsStorable(dtype), IsImplemented(dtype) || dtype == DType::kI32);
}

TEST(DTypeTest, SizesAreThoseOfTheEncoding) {
  EXPECT_EQ(SizeBytes(DType::kF32), 4);
  EXPECT_EQ(SizeBytes(DType::kF16), 2);
  EXPECT_EQ(SizeBytes(DType::kBf16), 2);
  EXPECT_EQ(SizeBytes(DType::kF8E4M3), 1);
  EXPECT_EQ(SizeBytes(DType::kI8), 1);
  EXPECT_EQ(SizeBytes(DType::kI32), 4);
}

TEST(DTypeTest, UnitRoundoffFollowsTheSignificand) {
  EXPECT_EQ(UnitRoundoff(DType::kF32), 0x1p-24);
  EXPECT_EQ(UnitRoundoff(DType::kF16), 0x1p-11);
  EXPECT_EQ(UnitRoundoff(DType::kBf16), 0x1p-8);
}

}  // namespace
}  // namespace gemmd
