#include "server/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/process.h"
#include "base/status.h"

namespace gemmd {
namespace {

// Whether a process accepts connections there.
absl::StatusOr<bool> SomeoneListens(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof(address.sun_path)) return InvalidArgument("{}: too long for a unix socket", text);
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe.valid()) return Internal("socket: {}", std::strerror(errno));
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return true;
  if (errno == ECONNREFUSED) return false;
  return Internal("{}: {}", text, std::strerror(errno));
}

}  // namespace

absl::Status ClearStaleSocket(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path.parent_path())) {
    return NotFound("{}: no such directory", path.parent_path().string());
  }
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0) {
    return errno == ENOENT ? absl::OkStatus() : Internal("{}: {}", path.string(), std::strerror(errno));
  }
  if (!S_ISSOCK(file.st_mode)) {
    return MakeStatus(absl::StatusCode::kAlreadyExists, "{}: there is a file that is no socket", path.string());
  }
  GEMMD_ASSIGN_OR_RETURN(const bool listens, SomeoneListens(path));
  if (listens) return MakeStatus(absl::StatusCode::kAlreadyExists, "{}: another daemon listens there", path.string());
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return Internal("{}: {}", path.string(), std::strerror(errno));
  return absl::OkStatus();
}

absl::Status RestrictSocket(const std::filesystem::path& path) {
  if (chmod(path.c_str(), S_IRUSR | S_IWUSR) == 0) return absl::OkStatus();
  return Internal("{}: chmod: {}", path.string(), std::strerror(errno));
}

}  // namespace gemmd
