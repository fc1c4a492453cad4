// Shared memory of process.h: memfd files and their mappings.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/process.h"
#include "base/status.h"

namespace gemmd {

absl::StatusOr<UniqueFd> MakeSharedMemory(const std::string& name, std::int64_t bytes) {
  UniqueFd fd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return FromErrno(errno, fmt::format("shared memory {}: memfd_create", name));
  if (ftruncate(fd.get(), bytes) != 0) {
    return FromErrno(errno, fmt::format("shared memory {} of {} bytes: ftruncate", name, bytes));
  }
  // A size that cannot change: no peer can turn our next access into SIGBUS.
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return FromErrno(errno, fmt::format("shared memory {}: sealing its size", name));
  }
  return fd;
}

absl::StatusOr<SharedMapping> SharedMapping::Map(int fd, std::int64_t bytes) {
  struct stat file = {};
  if (fstat(fd, &file) != 0) return FromErrno(errno, "shared mapping: fstat");
  if (bytes <= 0 || file.st_size < bytes) {
    return InvalidArgument("shared mapping of {} bytes: the file has {}", bytes,
                           static_cast<std::int64_t>(file.st_size));
  }
  void* address = mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return FromErrno(errno, fmt::format("shared mapping of {} bytes: mmap", bytes));
  SharedMapping mapping;
  mapping.data_ = static_cast<std::byte*>(address);
  mapping.bytes_ = bytes;
  return mapping;
}

SharedMapping::~SharedMapping() {
  if (data_ != nullptr) munmap(data_, static_cast<std::size_t>(bytes_));
}

SharedMapping::SharedMapping(SharedMapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace gemmd
