#include "server/unix_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

#include "base/process.h"
#include "tests/unit/engine/temporary_directory.h"

namespace gemmd {
namespace {

class UnixSocketTest : public testing::Test {
 protected:
  // Binds, and listens when `listening`; the file stays when the descriptor goes.
  UniqueFd Bind(bool listening) const {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    if (listening) {
      EXPECT_EQ(listen(fd.get(), 1), 0);
    }
    return fd;
  }

  TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "socket";
};

TEST_F(UnixSocketTest, RemovesASocketThatNobodyListensOn) {
  Bind(/*listening=*/true).Reset();
  ASSERT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(ClearStaleSocket(path_).ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixSocketTest, LeavesASocketThatSomeoneListensOn) {
  const UniqueFd listening = Bind(/*listening=*/true);
  EXPECT_EQ(ClearStaleSocket(path_).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixSocketTest, LeavesAFileThatIsNoSocket) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(ClearStaleSocket(path_).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(UnixSocketTest, IsContentWithNothingThere) { EXPECT_TRUE(ClearStaleSocket(path_).ok()); }

TEST_F(UnixSocketTest, NamesADirectoryThatIsMissing) {
  EXPECT_EQ(ClearStaleSocket(directory_.path() / "missing" / "socket").code(), absl::StatusCode::kNotFound);
}

TEST_F(UnixSocketTest, RestrictsTheSocketToItsUser) {
  const UniqueFd listening = Bind(/*listening=*/true);
  ASSERT_TRUE(RestrictSocket(path_).ok());
  struct stat file {};
  ASSERT_EQ(stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace gemmd
