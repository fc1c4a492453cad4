#include "tests/fuzz/random_source.h"

#include <algorithm>

#include "client/tensor/random_tensor.h"

namespace gemmd {

RandomSource::RandomSource(std::uint64_t seed, std::int64_t index)
    : start_(MixBits(MixBits(seed) ^ MixBits(~static_cast<std::uint64_t>(index)))) {}

std::uint64_t RandomSource::Bits() { return MixBits(start_ + counter_++); }

std::int64_t RandomSource::Between(std::int64_t low, std::int64_t high) {
  const auto choices = static_cast<std::uint64_t>(high - low) + 1;
  return low + static_cast<std::int64_t>(Bits() % choices);
}

double RandomSource::Uniform(double low, double high) {
  return low + (high - low) * (static_cast<double>(Bits() >> 11) * 0x1p-53);
}

std::int64_t RandomSource::LogBetween(std::int64_t low, std::int64_t high) {
  int octaves = 0;
  while (high >> (octaves + 1) >= low) ++octaves;
  const std::int64_t most = high >> Between(0, octaves);
  return Between(std::max(low, most / 2), most);
}

}  // namespace gemmd
