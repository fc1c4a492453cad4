// The header of a safetensors file: eight bytes of length, little-endian, then JSON that maps a tensor's name to its
// dtype, shape and data_offsets (https://github.com/huggingface/safetensors, "Format").
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "spec/dtype.h"

namespace gemmd {

inline constexpr std::int64_t kMaxSafetensorsHeaderBytes = std::int64_t{1} << 20;

struct SafetensorsEntry {
  std::string dtype;  // "BF16"
  std::vector<std::int64_t> shape;
  std::int64_t begin = 0, end = 0;  // bytes from the header's end
};
using SafetensorsHeader = std::map<std::string, SafetensorsEntry>;

// Reads the JSON of a file with `data_bytes` after it. The tensors must cover these bytes, each once.
// Errors: InvalidArgument (all that is wrong, a line each, with its place).
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view json, std::int64_t data_bytes);

// Length and JSON, padded with spaces so that the data begin on a multiple of 8 bytes.
std::string RenderSafetensorsHeader(const SafetensorsHeader& header);

std::string_view SafetensorsName(DType dtype);  // "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I8", "I32"

}  // namespace gemmd
