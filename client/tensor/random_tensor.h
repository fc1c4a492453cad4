// Random data that is the same everywhere: element i depends on (seed, stream, i) alone.
#pragma once

#include <cstdint>
#include <string_view>

#include "client/tensor/tensor.h"

namespace gemmd {

// 64 well-mixed bits for a counter (splitmix64's output function, Steele, Lea and Flood 2014).
std::uint64_t MixBits(std::uint64_t counter);

// Uniform in [-1, 1) times `scale`, rounded to the tensor's dtype. `stream` (an input's name) keeps tensors of one seed
// apart. Elements are counted in memory order. The same on every machine and for every number of threads (0: all).
void FillRandom(Tensor& tensor, std::uint64_t seed, std::string_view stream, double scale, int threads = 0);

// One such number, in f32: for a scalar input.
float RandomScalar(std::uint64_t seed, std::string_view stream);

}  // namespace gemmd
