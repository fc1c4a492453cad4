#include "client/gemmctl/files.h"

#include <cerrno>
#include <fstream>
#include <iostream>
#include <system_error>

#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::size_t kMaxSpecBytes = 1 << 20;
constexpr std::size_t kMaxRecordsBytes = 32 << 20;

absl::StatusOr<std::string> ReadAll(std::istream& stream, const std::string& name, std::size_t max_bytes) {
  std::string text(max_bytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > max_bytes) return InvalidArgument("{}: over {} bytes", name, max_bytes);
  if (stream.bad()) return InvalidArgument("{}: can't be read", name);
  return text;
}

absl::StatusOr<std::string> ReadText(const std::string& path, std::size_t max_bytes) {
  if (path == "-") return ReadAll(std::cin, "standard input", max_bytes);
  std::ifstream file(path, std::ios::binary);
  if (!file) return FromErrno(errno, path);
  return ReadAll(file, path, max_bytes);
}

}  // namespace

absl::StatusOr<std::string> ReadSpecText(const std::string& path) { return ReadText(path, kMaxSpecBytes); }

absl::StatusOr<std::string> ReadRecordsText(const std::string& path) { return ReadText(path, kMaxRecordsBytes); }

absl::Status WriteBytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) return FromErrno(errno, path.string());
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return ResourceExhausted("{}: not written in full", path.string());
  return absl::OkStatus();
}

absl::Status MakeDirectory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  if (error == std::errc::permission_denied) return FromErrno(error.value(), path.string());
  return InvalidArgument("{}: {}", path.string(), error.message());
}

}  // namespace gemmd
