#include "engine/cubin_key.h"

#include <cstdint>

#include "base/digest.h"

namespace gemmd {

std::string CubinKey(const CubinIngredients& ingredients) {
  Digest digest("cubin_key");
  digest.Add("source", ingredients.source);
  digest.Add("device_library", ingredients.device_library);
  digest.Add("options", static_cast<std::int64_t>(ingredients.options.size()));
  for (const std::string& option : ingredients.options) digest.Add("option", option);
  digest.Add("compiler", ingredients.compiler);
  digest.Add("arch", Name(ingredients.arch));
  return digest.FinishHex();
}

std::string DeviceLibraryDigest(std::span<const EmbeddedFile> files) {
  Digest digest("device_library");
  for (const EmbeddedFile& file : files) digest.Add("name", file.name).Add("text", file.text);
  return digest.FinishHex();
}

}  // namespace gemmd
