// The header of NumPy's .npy files: a Python dictionary with descr, fortran_order and shape (NEP 1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "spec/dtype.h"

namespace gemmd {

// The part before the dictionary: magic, version, and the dictionary's length.
inline constexpr std::string_view kNpyMagic = "\x93NUMPY";
inline constexpr std::int64_t kMaxNpyHeaderBytes = 1 << 16;

struct NpyHeader {
  std::string descr;  // "<f4", "<f2", "<V2"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

// Reads the dictionary's text. Errors: InvalidArgument (says what was found where).
absl::StatusOr<NpyHeader> ParseNpyDictionary(std::string_view text);

// Everything before the data, version 1.0, padded to 64 bytes.
std::string RenderNpyHeader(const NpyHeader& header);

// What gemmd writes for a dtype; bf16 has no NumPy type, and ml_dtypes saves it as "<V2".
std::string_view NpyDescr(DType dtype);
// Whether a file with `descr` can hold `dtype`. bf16 may also come as plain 16-bit words.
bool NpyDescrHolds(std::string_view descr, DType dtype);

}  // namespace gemmd
