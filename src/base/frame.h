// The frame of base/call_channel.h: {u32 payload bytes, u64 call id, payload}, little-endian.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/call_channel.h"
#include "base/little_endian.h"

namespace gemmd {

inline constexpr std::size_t kFrameHeaderBytes = 12;

struct FrameHeader {
  std::uint32_t payload_bytes = 0;
  std::uint64_t call_id = 0;
};

inline std::array<char, kFrameHeaderBytes> EncodeFrameHeader(const FrameHeader& header) {
  std::array<char, kFrameHeaderBytes> bytes{};
  const auto length = LittleEndian(header.payload_bytes);
  const auto id = LittleEndian(header.call_id);
  std::copy(length.begin(), length.end(), bytes.begin());
  std::copy(id.begin(), id.end(), bytes.begin() + length.size());
  return bytes;
}

// Nothing for a payload over kMaxFrameBytes. Requires kFrameHeaderBytes bytes.
inline std::optional<FrameHeader> DecodeFrameHeader(std::string_view bytes) {
  const FrameHeader header = {FromLittleEndian<std::uint32_t>(bytes), FromLittleEndian<std::uint64_t>(bytes.substr(4))};
  if (header.payload_bytes > kMaxFrameBytes) return std::nullopt;
  return header;
}

}  // namespace gemmd
