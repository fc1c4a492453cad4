#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/status.h"
#include "nvrtc_fixture.h"

namespace gemmd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LoadNvrtcTest : public NvrtcTest {
 protected:
  LoadNvrtcTest() {
    std::string name = (fs::path(testing::TempDir()) / "nvrtc_XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~LoadNvrtcTest() override { fs::remove_all(directory_); }
  fs::path directory_;
};

TEST(LoadNvrtcFailureTest, SaysWhatIsMissingAndWhereItLooked) {
  const absl::Status status = LoadNvrtc({"/nowhere", "/elsewhere"}).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  for (const char* part : {"libnvrtc.so.13", "/nowhere", "/elsewhere"}) {
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr(part));
  }
}

TEST_F(LoadNvrtcTest, ABrokenLibraryIsNamed) {
  std::ofstream(directory_ / "libnvrtc.so.13") << "not a library";
  const absl::Status status = LoadNvrtc({directory_.string()}).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr((directory_ / "libnvrtc.so.13").string()));
}

TEST_F(LoadNvrtcTest, MissingBuiltinsAreNamed) {
  fs::create_symlink(library_->path, directory_ / fs::path(library_->path).filename());
  const absl::Status status = LoadNvrtc({directory_.string()}).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr((directory_ / "libnvrtc-builtins.so.").string()));
}

TEST_F(LoadNvrtcTest, TakesTheFirstDirectoryThatHasIt) {
  std::vector<std::string> directories = TestNvrtcDirectories();
  directories.insert(directories.begin(), directory_.string());
  EXPECT_EQ(LoadNvrtc(directories).value().path, library_->path);
}

TEST_F(LoadNvrtcTest, IdentityHasVersionAndBuild) {
  EXPECT_THAT(library_->identity, HasSubstr(fmt::format("nvrtc {}.{} ", library_->major, library_->minor)));
  EXPECT_GT(library_->identity.size(), 60U);
  EXPECT_EQ(LoadNvrtc(TestNvrtcDirectories()).value().identity, library_->identity);
}

TEST_F(LoadNvrtcTest, KnowsHopper) { EXPECT_THAT(library_->supported_capabilities, testing::Contains(90)); }

}  // namespace
}  // namespace gemmd
