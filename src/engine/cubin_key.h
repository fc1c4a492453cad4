// The name of a cubin in every cache tier: everything that goes into it, and nothing else.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels_src/embedded.h"
#include "spec/arch.h"

namespace gemmd {

struct CubinIngredients {
  std::string_view source;          // generated CUDA C++
  std::string_view device_library;  // DeviceLibraryDigest of the headers that the source includes
  std::vector<std::string> options;
  std::string_view compiler;  // Compiler::Identity
  Arch arch;
};

// SHA-256 over the ingredients: no path, no name of the user's, no order of a map.
std::string CubinKey(const CubinIngredients& ingredients);

// SHA-256 over the names and texts of the files, in the order given.
std::string DeviceLibraryDigest(std::span<const EmbeddedFile> files);

}  // namespace gemmd
