#include "base/random_id.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/status.h"

namespace gemmd {

absl::StatusOr<std::string> RandomHex(std::size_t bytes) {
  std::array<unsigned char, 256> drawn;  // so many come whole, says getrandom(2)
  const std::size_t wanted = std::min(bytes, drawn.size());
  if (getrandom(drawn.data(), wanted, 0) != static_cast<ssize_t>(wanted)) {
    return Internal("getrandom gave fewer than {} bytes", wanted);
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < wanted; ++i) {
    text += kDigits[drawn[i] >> 4];
    text += kDigits[drawn[i] & 15];
  }
  return text;
}

}  // namespace gemmd
