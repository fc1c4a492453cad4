#include "client/tensor/random_tensor.h"

#include <algorithm>
#include <cstring>

#include "client/tensor/number_format.h"
#include "client/tensor/parallel.h"

namespace gemmd {
namespace {

constexpr std::int64_t kBlockElements = 1 << 16;

// Where the counters of a stream start: the seed mixed with FNV-1a of the name.
std::uint64_t StreamStart(std::uint64_t seed, std::string_view stream) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : stream) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return MixBits(MixBits(seed) ^ hash);
}

// 24 random bits as a number of the grid of 2^-23 in [-1, 1): exact in f32.
double Uniform(std::uint64_t start, std::int64_t index) {
  const std::uint64_t bits = MixBits(start + static_cast<std::uint64_t>(index));
  return static_cast<double>(static_cast<std::int64_t>(bits >> 40)) * 0x1p-23 - 1.0;
}

template <typename Bits>
void FillBlock(Tensor& tensor, std::uint64_t start, double scale, std::int64_t begin, std::int64_t end) {
  const NumberFormat format = FormatOf(tensor.dtype);
  for (std::int64_t i = begin; i < end; ++i) {
    const auto bits = static_cast<Bits>(EncodeNumber(Uniform(start, i) * scale, format));
    std::memcpy(tensor.bytes.data() + static_cast<std::size_t>(i) * sizeof bits, &bits, sizeof bits);
  }
}

}  // namespace

std::uint64_t MixBits(std::uint64_t counter) {
  std::uint64_t z = counter * 0x9e3779b97f4a7c15 + 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

void FillRandom(Tensor& tensor, std::uint64_t seed, std::string_view stream, double scale, int threads) {
  const std::uint64_t start = StreamStart(seed, stream);
  const std::int64_t count = ElementCount(tensor.shape);
  ParallelFor((count + kBlockElements - 1) / kBlockElements, threads, [&](std::int64_t block) {
    const std::int64_t begin = block * kBlockElements;
    const std::int64_t end = std::min(count, begin + kBlockElements);
    if (SizeBytes(tensor.dtype) == 2) {
      FillBlock<std::uint16_t>(tensor, start, scale, begin, end);
    } else {
      FillBlock<std::uint32_t>(tensor, start, scale, begin, end);
    }
  });
}

float RandomScalar(std::uint64_t seed, std::string_view stream) {
  return static_cast<float>(Uniform(StreamStart(seed, stream), 0));
}

}  // namespace gemmd
