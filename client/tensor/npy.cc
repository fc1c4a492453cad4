#include "client/tensor/npy.h"

#include <cerrno>
#include <fstream>
#include <string>
#include <utility>

#include "base/status.h"
#include "client/tensor/npy_header.h"

namespace gemmd {
namespace {

constexpr std::int64_t kMaxExtent = std::int64_t{1} << 30;  // the bytes of a matrix of two stay within 63 bits

// The header's dictionary; leaves the stream at the data. Errors: InvalidArgument.
absl::StatusOr<NpyHeader> ReadHeader(std::istream& file) {
  char prefix[8];
  if (!file.read(prefix, sizeof prefix) || std::string_view(prefix, 6) != kNpyMagic) {
    return InvalidArgument("not an npy file");
  }
  const int major = prefix[6];
  if (major < 1 || major > 3) return InvalidArgument("npy version {}, expected 1 to 3", major);
  unsigned char length[4] = {};
  file.read(reinterpret_cast<char*>(length), major == 1 ? 2 : 4);
  const std::int64_t bytes = length[0] | length[1] << 8 | length[2] << 16 | static_cast<std::int64_t>(length[3]) << 24;
  if (!file || bytes > kMaxNpyHeaderBytes) {
    return InvalidArgument("npy header of {} bytes, expected at most {}", bytes, kMaxNpyHeaderBytes);
  }
  std::string dictionary(static_cast<std::size_t>(bytes), '\0');
  if (!file.read(dictionary.data(), bytes)) return InvalidArgument("the npy header is cut short");
  return ParseNpyDictionary(dictionary);
}

absl::Status CheckHeader(const NpyHeader& header, DType dtype) {
  if (!NpyDescrHolds(header.descr, dtype)) {
    return InvalidArgument("dtype '{}', expected '{}' ({})", header.descr, NpyDescr(dtype), Name(dtype));
  }
  if (header.shape.size() > 2) return InvalidArgument("{} dimensions, expected at most 2", header.shape.size());
  for (const std::int64_t extent : header.shape) {
    if (extent > kMaxExtent) return InvalidArgument("an extent of {}, expected at most {}", extent, kMaxExtent);
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensor> ReadTensor(std::ifstream& file, DType dtype) {
  GEMMD_ASSIGN_OR_RETURN(NpyHeader header, ReadHeader(file));
  GEMMD_RETURN_IF_ERROR(CheckHeader(header, dtype));
  const std::int64_t expected = ElementCount(header.shape) * SizeBytes(dtype);
  const auto start = file.tellg();
  file.seekg(0, std::ios::end);
  const std::int64_t found = file.tellg() - start;
  if (found != expected) return InvalidArgument("{} bytes of data, expected {} from its shape", found, expected);
  file.seekg(start);
  Tensor tensor =
      MakeTensor(dtype, std::move(header.shape), header.fortran_order ? Layout::kColumnMajor : Layout::kRowMajor);
  if (!file.read(reinterpret_cast<char*>(tensor.bytes.data()), expected)) return InvalidArgument("reading failed");
  return tensor;
}

}  // namespace

absl::StatusOr<Tensor> ReadNpy(const std::filesystem::path& path, DType dtype) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return FromErrno(errno, path.string());
  absl::StatusOr<Tensor> tensor = ReadTensor(file, dtype);
  if (!tensor.ok()) return WithContext(tensor.status(), path.string());
  return tensor;
}

absl::Status WriteNpy(const std::filesystem::path& path, const TensorView& tensor) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) return FromErrno(errno, path.string());
  const bool fortran_order = tensor.shape.size() == 2 && tensor.layout == Layout::kColumnMajor;
  const std::string header = RenderNpyHeader({std::string(NpyDescr(tensor.dtype)), fortran_order, tensor.shape});
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  file.write(reinterpret_cast<const char*>(tensor.bytes.data()), static_cast<std::streamsize>(tensor.bytes.size()));
  file.close();
  if (!file) return ResourceExhausted("{}: not written in full", path.string());
  return absl::OkStatus();
}

}  // namespace gemmd
