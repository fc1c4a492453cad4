#include "compile/build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/digest.h"
#include "base/process.h"
#include "base/status.h"

namespace gemmd {
namespace {

// A file mapped to be read: libnvrtc has a hundred megabytes, and its notes are in one page.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat file = {};
    if (!fd.valid() || fstat(fd.get(), &file) != 0) return FromErrno(errno, fmt::format("opening {}", path));
    if (!S_ISREG(file.st_mode) || file.st_size == 0) return DataLoss("{} is empty or no regular file", path);
    MappedFile mapped;
    mapped.bytes_ = static_cast<std::size_t>(file.st_size);
    mapped.data_ = mmap(nullptr, mapped.bytes_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (mapped.data_ == MAP_FAILED) return FromErrno(errno, fmt::format("mapping {}", path));
    return mapped;
  }
  ~MappedFile() {
    if (data_ != MAP_FAILED) munmap(data_, bytes_);
  }
  MappedFile(MappedFile&& other) noexcept : data_(std::exchange(other.data_, MAP_FAILED)), bytes_(other.bytes_) {}
  std::string_view bytes() const { return {static_cast<const char*>(data_), bytes_}; }

 private:
  MappedFile() = default;
  void* data_ = MAP_FAILED;
  std::size_t bytes_ = 0;
};

// A struct of the file at `offset`; nothing past its end.
template <typename Struct>
std::optional<Struct> StructAt(std::string_view bytes, std::size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(Struct)) return std::nullopt;
  Struct value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

// The build id among the notes of one PT_NOTE segment: {name size, value size, type}, name, value, each padded to 4.
std::optional<std::string> BuildIdOf(std::string_view notes) {
  const auto padded = [](std::size_t size) { return (size + 3) / 4 * 4; };
  std::size_t at = 0;
  while (const auto note = StructAt<Elf64_Nhdr>(notes, at)) {
    const std::size_t name_at = at + sizeof *note;
    const std::size_t value_at = name_at + padded(note->n_namesz);
    at = value_at + padded(note->n_descsz);
    if (at > notes.size()) return std::nullopt;
    const bool is_gnu = notes.substr(name_at, note->n_namesz) == std::string_view("GNU\0", 4);
    if (is_gnu && note->n_type == NT_GNU_BUILD_ID) return Hex(notes.substr(value_at, note->n_descsz));
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::string> BuildIdentity(const std::string& library_path) {
  GEMMD_ASSIGN_OR_RETURN(const MappedFile mapped, MappedFile::Open(library_path));
  const std::string_view file = mapped.bytes();
  const auto header = StructAt<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64) {
    return DataLoss("{} is not a 64-bit ELF file", library_path);
  }
  for (int i = 0; i < header->e_phnum; ++i) {
    const auto segment =
        StructAt<Elf64_Phdr>(file, header->e_phoff + static_cast<std::size_t>(i) * header->e_phentsize);
    if (!segment || segment->p_type != PT_NOTE || segment->p_offset > file.size()) continue;
    if (auto id = BuildIdOf(file.substr(segment->p_offset, segment->p_filesz))) return *id;
  }
  return Digest("library").Add("file", file).FinishHex();
}

}  // namespace gemmd
