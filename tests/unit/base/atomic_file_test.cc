#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "base/status.h"

namespace gemmd {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::path(testing::TempDir()) / "atomic_file_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }
  fs::path directory_;
};

TEST_F(AtomicFileTest, ReadsWhatWasWritten) {
  const std::string bytes("a\0b", 3);
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", bytes).ok());
  EXPECT_EQ(ReadFile(directory_ / "f", 3).value(), bytes);
}

TEST_F(AtomicFileTest, ReplacesAnOlderFile) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "a longer first text").ok());
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "second").ok());
  EXPECT_EQ(ReadFile(directory_ / "f", 100).value(), "second");
}

TEST_F(AtomicFileTest, LeavesNothingElseBehind) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "x").ok());
  fs::create_directory(directory_ / "taken");
  EXPECT_FALSE(WriteFileAtomically(directory_ / "taken", "x").ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 2);
}

TEST_F(AtomicFileTest, IsPrivate) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "x").ok());
  struct stat status = {};
  ASSERT_EQ(stat((directory_ / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(AtomicFileTest, AMissingDirectoryIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(WriteFileAtomically(directory_ / "no" / "f", "x")));
}

TEST_F(AtomicFileTest, ReadersSeeOneWholeFileOfRacingWriters) {
  const fs::path path = directory_ / "f";
  ASSERT_TRUE(WriteFileAtomically(path, std::string(10000, 'a')).ok());
  std::jthread writer([&](std::stop_token stop) {
    for (char c = 'a'; !stop.stop_requested(); c = c == 'z' ? 'a' : static_cast<char>(c + 1)) {
      ASSERT_TRUE(WriteFileAtomically(path, std::string(10000, c)).ok());
    }
  });
  for (int i = 0; i < 200; ++i) {
    const std::string seen = ReadFile(path, 10000).value();
    ASSERT_EQ(seen, std::string(10000, seen.front()));
  }
}

TEST_F(AtomicFileTest, RefusesToReadMoreThanAllowed) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / "f", "four").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(ReadFile(directory_ / "f", 3).status()));
}

TEST_F(AtomicFileTest, ReadsAFileWhoseSizeIsNotKnownAhead) {
  EXPECT_FALSE(ReadFile("/proc/self/maps", 1 << 20).value().empty());
}

TEST_F(AtomicFileTest, AMissingFileIsNotFoundAndADirectoryIsNoFile) {
  EXPECT_TRUE(absl::IsNotFound(ReadFile(directory_ / "f", 3).status()));
  EXPECT_TRUE(absl::IsInternal(ReadFile(directory_, 3).status()));
}

}  // namespace
}  // namespace gemmd
