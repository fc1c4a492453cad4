#include "cache/entry_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace gemmd {
namespace {

const std::string kKey(64, 'a');
const std::string kOtherKey(64, 'b');
const CacheEntry kEntry = {std::string("\177ELF\0code", 9), R"({"arch":"sm_90a"})"};

TEST(EntryFileTest, DecodesWhatItEncoded) {
  EXPECT_EQ(DecodeEntry(kKey, EncodeEntry(kKey, kEntry)).value(), kEntry);
  EXPECT_EQ(DecodeEntry(kKey, EncodeEntry(kKey, {})).value(), CacheEntry());
}

TEST(EntryFileTest, EveryTruncationIsDataLoss) {
  const std::string bytes = EncodeEntry(kKey, kEntry);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeEntry(kKey, bytes.substr(0, length)).status())) << length;
  }
}

TEST(EntryFileTest, EveryFlippedBitIsDataLoss) {
  const std::string bytes = EncodeEntry(kKey, kEntry);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_TRUE(absl::IsDataLoss(DecodeEntry(kKey, flipped).status())) << bit;
  }
}

TEST(EntryFileTest, BytesBehindTheEndAreDataLoss) {
  EXPECT_TRUE(absl::IsDataLoss(DecodeEntry(kKey, EncodeEntry(kKey, kEntry) + "x").status()));
}

TEST(EntryFileTest, AnotherKeysEntryIsDataLossAndNamed) {
  const absl::Status status = DecodeEntry(kKey, EncodeEntry(kOtherKey, kEntry)).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(MessageOf(status)), testing::HasSubstr(kOtherKey));
}

TEST(EntryFileTest, AByteMovedFromMetadataToCubinIsDataLoss) {
  std::string bytes = EncodeEntry(kKey, {"ab", "c"});
  ++bytes[76];  // the low byte of the cubin's length
  --bytes[84];  // and of the metadata's
  EXPECT_TRUE(absl::IsDataLoss(DecodeEntry(kKey, bytes).status()));
}

TEST(CubinKeyTest, IsSixtyFourLowerCaseHexDigits) {
  EXPECT_TRUE(IsCubinKey("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
  EXPECT_FALSE(IsCubinKey(std::string(63, 'a')));
  EXPECT_FALSE(IsCubinKey(std::string(65, 'a')));
  EXPECT_FALSE(IsCubinKey(std::string(64, 'A')));
  EXPECT_FALSE(IsCubinKey("../" + std::string(61, 'a')));
  EXPECT_FALSE(IsCubinKey(std::string(63, 'a') + '\0'));
}

}  // namespace
}  // namespace gemmd
