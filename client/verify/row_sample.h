// Which rows of a result are recomputed.
#pragma once

#include <cstdint>
#include <vector>

namespace gemmd {

// At most `count` distinct rows of [0, extent), ascending: all of them when they are that few; else the first, the
// last, both sides of the first and last multiples of 16, 32, 64, 128 and 256 (where tiles meet and ragged tiles
// begin), and random ones by seed.
std::vector<std::int64_t> SampleRows(std::int64_t extent, std::int64_t count, std::uint64_t seed);

}  // namespace gemmd
