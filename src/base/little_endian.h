// Integers as bytes, least significant first: the order of every digest, frame and file of gemmd.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace gemmd {

template <typename Unsigned>
requires std::is_unsigned_v<Unsigned>
constexpr std::array<char, sizeof(Unsigned)> LittleEndian(Unsigned value) {
  std::array<char, sizeof(Unsigned)> bytes{};
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    bytes[i] = static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
  return bytes;
}

// Requires bytes.size() >= sizeof(Unsigned).
template <typename Unsigned>
requires std::is_unsigned_v<Unsigned>
constexpr Unsigned FromLittleEndian(std::string_view bytes) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    value |= static_cast<Unsigned>(static_cast<Unsigned>(static_cast<unsigned char>(bytes[i])) << (8 * i));
  }
  return value;
}

}  // namespace gemmd
