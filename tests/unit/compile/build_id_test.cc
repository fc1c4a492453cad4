#include "compile/build_id.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace gemmd {
namespace {

class BuildIdTest : public testing::Test {
 protected:
  std::string Write(const std::string& bytes) {
    path_ = std::filesystem::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_.string();
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

std::string Bytes(const auto& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// An ELF file with one note segment, and `rest` behind it.
std::string ElfWithNotes(const std::string& notes, const std::string& rest) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_phoff = sizeof header;
  header.e_phnum = 1;
  header.e_phentsize = sizeof(Elf64_Phdr);
  Elf64_Phdr segment = {};
  segment.p_type = PT_NOTE;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = notes.size();
  return Bytes(header) + Bytes(segment) + notes + rest;
}

const std::string kBuildIdNote = Bytes(Elf64_Nhdr{4, 3, NT_GNU_BUILD_ID}) + std::string("GNU\0\xab\xcd\xef\0", 8);

TEST_F(BuildIdTest, IsTheGnuNote) {
  EXPECT_EQ(BuildIdentity(Write(ElfWithNotes(kBuildIdNote, "code"))).value(), "abcdef");
}

TEST_F(BuildIdTest, PassesOverOtherNotes) {
  const std::string other = Bytes(Elf64_Nhdr{5, 1, 1}) + std::string("NVDA\0\0\0\0x\0\0\0", 12);
  EXPECT_EQ(BuildIdentity(Write(ElfWithNotes(other + kBuildIdNote, ""))).value(), "abcdef");
}

TEST_F(BuildIdTest, WithoutANoteIsADigestOfEveryByte) {
  const auto first = BuildIdentity(Write(ElfWithNotes("", "code 1"))).value();
  const auto second = BuildIdentity(Write(ElfWithNotes("", "code 2"))).value();
  EXPECT_EQ(first.size(), 64U);
  EXPECT_NE(first, second);
}

TEST_F(BuildIdTest, SurvivesANoteThatClaimsTooMuch) {
  const std::string lying = Bytes(Elf64_Nhdr{0xfffffff0, 0xfffffff0, NT_GNU_BUILD_ID}) + "GNU";
  EXPECT_EQ(BuildIdentity(Write(ElfWithNotes(lying, ""))).value().size(), 64U);
}

TEST_F(BuildIdTest, RefusesWhatIsNoLibrary) {
  EXPECT_TRUE(absl::IsDataLoss(BuildIdentity(Write("INPUT(-lnvrtc)")).status()));
  EXPECT_TRUE(absl::IsNotFound(BuildIdentity("/nowhere/libnvrtc.so.13").status()));
}

}  // namespace
}  // namespace gemmd
