#include "client/verify/row_sample.h"

#include <numeric>
#include <set>

#include "client/tensor/random_tensor.h"

namespace gemmd {

std::vector<std::int64_t> SampleRows(std::int64_t extent, std::int64_t count, std::uint64_t seed) {
  if (extent <= count) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(extent));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  std::vector<std::int64_t> wanted = {0, extent - 1};
  for (const std::int64_t tile : {256, 128, 64, 32, 16}) {
    const std::int64_t last = (extent - 1) / tile * tile;
    for (const std::int64_t row : {last, last - 1, tile, tile - 1}) {
      if (row >= 0 && row < extent) wanted.push_back(row);
    }
  }
  std::set<std::int64_t> rows;
  for (std::size_t i = 0; static_cast<std::int64_t>(rows.size()) < count && i < wanted.size(); ++i) {
    rows.insert(wanted[i]);
  }
  for (std::uint64_t i = 0; static_cast<std::int64_t>(rows.size()) < count; ++i) {
    const std::uint64_t bits = MixBits(MixBits(seed) + i);
    rows.insert(static_cast<std::int64_t>(bits % static_cast<std::uint64_t>(extent)));
  }
  return {rows.begin(), rows.end()};
}

}  // namespace gemmd
