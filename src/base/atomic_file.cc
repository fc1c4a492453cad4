#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/process.h"
#include "base/status.h"

namespace gemmd {
namespace {

absl::Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FromErrno(errno, "write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

// Makes a rename in `directory` last. Some file systems have no fsync of directories (EINVAL): nothing to do there.
absl::Status SyncDirectory(const std::filesystem::path& directory) {
  const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FromErrno(errno, "opening the directory");
  if (fsync(fd.get()) != 0 && errno != EINVAL) return FromErrno(errno, "fsync of the directory");
  return absl::OkStatus();
}

absl::Status WriteAndRename(UniqueFd fd, const std::string& temporary, const std::filesystem::path& path,
                            std::string_view bytes) {
  GEMMD_RETURN_IF_ERROR(WriteAll(fd.get(), bytes));
  if (fsync(fd.get()) != 0) return FromErrno(errno, "fsync");
  if (close(fd.Release()) != 0) return FromErrno(errno, "close");
  if (rename(temporary.c_str(), path.c_str()) != 0) return FromErrno(errno, "rename");
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path directory = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::string name = fmt::format("{}{}.XXXXXX", kTemporaryFilePrefix, path.filename().string());
  std::string temporary = (directory / name).string();
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  const std::string context = fmt::format("writing {}", path.string());
  if (!fd.valid()) return FromErrno(errno, context);
  if (absl::Status status = WriteAndRename(std::move(fd), temporary, path, bytes); !status.ok()) {
    unlink(temporary.c_str());
    return WithContext(status, context);
  }
  return WithContext(SyncDirectory(directory), context);
}

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, std::int64_t max_bytes) {
  const std::string context = fmt::format("reading {}", path.string());
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FromErrno(errno, context);
  struct stat file = {};
  if (fstat(fd.get(), &file) != 0) return FromErrno(errno, context);
  if (S_ISDIR(file.st_mode)) return FromErrno(EISDIR, context);

  // What is read counts, not the size at the start: a file of /proc says 0, and a file may grow.
  std::string bytes;
  std::size_t used = 0;
  for (;;) {
    if (static_cast<std::int64_t>(used) > max_bytes) {
      return ResourceExhausted("{}: over the {} bytes allowed", context, max_bytes);
    }
    constexpr std::int64_t kLeastChunkBytes = 4096;
    const std::int64_t expected = static_cast<std::int64_t>(file.st_size) - static_cast<std::int64_t>(used) + 1;
    const std::int64_t room = max_bytes - static_cast<std::int64_t>(used) + 1;
    bytes.resize(used + static_cast<std::size_t>(std::min(std::max(expected, kLeastChunkBytes), room)));
    const ssize_t got = read(fd.get(), bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(errno, context);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  bytes.resize(used);
  return bytes;
}

}  // namespace gemmd
