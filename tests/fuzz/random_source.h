// Random choices that are the same on every machine for one seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gemmd {

// Sequences of different (seed, index) have nothing to do with each other.
class RandomSource {
 public:
  RandomSource(std::uint64_t seed, std::int64_t index);

  std::uint64_t Bits();
  std::int64_t Between(std::int64_t low, std::int64_t high);  // both included
  double Uniform(double low, double high);
  // Every power of two as often as the next, and uniform between them. Requires 1 <= low <= high.
  std::int64_t LogBetween(std::int64_t low, std::int64_t high);
  bool Chance(double probability) { return Uniform(0, 1) < probability; }

  // Requires a choice.
  template <typename T>
  T Pick(std::span<const T> choices) {
    return choices[static_cast<std::size_t>(Between(0, static_cast<std::int64_t>(choices.size()) - 1))];
  }
  template <typename T>
  T Pick(const std::vector<T>& choices) {
    return Pick(std::span<const T>(choices));
  }

 private:
  std::uint64_t start_, counter_ = 0;
};

}  // namespace gemmd
