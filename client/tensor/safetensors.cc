#include "client/tensor/safetensors.h"

#include <cerrno>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "base/little_endian.h"
#include "base/status.h"
#include "client/tensor/safetensors_header.h"
#include "spec/diagnostic.h"

namespace gemmd {
namespace {

constexpr std::string_view kSuffix = ".safetensors";
constexpr std::int64_t kLengthBytes = 8;

// Leaves the stream at the data. Errors: InvalidArgument.
absl::StatusOr<SafetensorsHeader> ReadHeader(std::ifstream& file) {
  file.seekg(0, std::ios::end);
  const std::int64_t file_bytes = file.tellg();
  file.seekg(0);
  std::string length(kLengthBytes, '\0');
  if (!file.read(length.data(), kLengthBytes)) return InvalidArgument("not a safetensors file: {} bytes", file_bytes);
  const auto header_bytes = FromLittleEndian<std::uint64_t>(length);
  const auto most = static_cast<std::uint64_t>(std::min(file_bytes - kLengthBytes, kMaxSafetensorsHeaderBytes));
  if (header_bytes > most) {
    return InvalidArgument("a header of {} bytes, expected at most {}", header_bytes, most);
  }
  std::string text(header_bytes, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(text.size()))) return InvalidArgument("reading failed");
  return ParseSafetensorsHeader(text, file_bytes - kLengthBytes - static_cast<std::int64_t>(header_bytes));
}

absl::StatusOr<Tensor> ReadTensor(std::ifstream& file, const std::string& name, DType dtype) {
  GEMMD_ASSIGN_OR_RETURN(const SafetensorsHeader header, ReadHeader(file));
  const auto found = header.find(name);
  if (found == header.end()) {
    std::vector<std::string> names;
    for (const auto& [other, entry] : header) names.push_back(other);
    const std::string nearest = Nearest(name, names);
    return NotFound("no tensor {} among its {}{}", Quote(name), names.size(),
                    nearest.empty() ? "" : fmt::format("; did you mean {}?", Quote(nearest)));
  }
  const SafetensorsEntry& entry = found->second;
  if (entry.dtype != SafetensorsName(dtype)) {
    return InvalidArgument("{}: dtype {}, expected {}", Quote(name), entry.dtype, SafetensorsName(dtype));
  }
  if (entry.shape.size() > 2) {
    return InvalidArgument("{}: {} dimensions, expected at most 2", Quote(name), entry.shape.size());
  }
  Tensor tensor = MakeTensor(dtype, entry.shape);
  file.seekg(entry.begin, std::ios::cur);
  if (!file.read(reinterpret_cast<char*>(tensor.bytes.data()), entry.end - entry.begin)) {
    return InvalidArgument("{}: reading failed", Quote(name));
  }
  return tensor;
}

}  // namespace

std::optional<SafetensorsPlace> SafetensorsPlaceOf(const std::string& text, const std::string& name) {
  if (text.ends_with(kSuffix)) return SafetensorsPlace{.path = text, .tensor = name};
  const std::size_t colon = text.find(std::string(kSuffix) + ":");
  if (colon == std::string::npos) return std::nullopt;
  const std::size_t path_bytes = colon + kSuffix.size();
  return SafetensorsPlace{.path = text.substr(0, path_bytes), .tensor = text.substr(path_bytes + 1)};
}

absl::StatusOr<Tensor> ReadSafetensors(const SafetensorsPlace& place, DType dtype) {
  std::ifstream file(place.path, std::ios::binary);
  if (!file) return FromErrno(errno, place.path.string());
  absl::StatusOr<Tensor> tensor = ReadTensor(file, place.tensor, dtype);
  if (!tensor.ok()) return WithContext(tensor.status(), place.path.string());
  return tensor;
}

absl::Status WriteSafetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) return FromErrno(errno, path.string());
  SafetensorsHeader header;
  std::int64_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::int64_t begin = end;
    end += static_cast<std::int64_t>(tensor.bytes.size());
    header[name] = {
        .dtype = std::string(SafetensorsName(tensor.dtype)), .shape = tensor.shape, .begin = begin, .end = end};
  }
  const std::string text = RenderSafetensorsHeader(header);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const auto& [name, tensor] : tensors) {
    file.write(reinterpret_cast<const char*>(tensor.bytes.data()), static_cast<std::streamsize>(tensor.bytes.size()));
  }
  file.close();
  if (!file) return ResourceExhausted("{}: not written in full", path.string());
  return absl::OkStatus();
}

}  // namespace gemmd
