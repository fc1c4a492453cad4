#include "tests/fuzz/random_shape.h"

#include <algorithm>
#include <string>

namespace gemmd {
namespace {

std::int64_t Multiple(const ShapeOptions& options, RandomSource& random) {
  const std::int64_t step = random.Pick<std::int64_t>({8, 16, 32, 64, 128});
  return step * random.LogBetween(1, std::max<std::int64_t>(1, options.max_extent / step));
}

std::int64_t DrawExtent(const ShapeOptions& options, RandomSource& random) {
  if (options.aligned) return std::min(Multiple(options, random), options.max_extent / 8 * 8);
  const double die = random.Uniform(0, 1);
  std::int64_t extent = 0;
  if (die < 0.04) {
    extent = 0;
  } else if (die < 0.12) {
    extent = 1;
  } else if (die < 0.35) {
    extent = Multiple(options, random);
  } else if (die < 0.6) {
    extent = Multiple(options, random) + (random.Chance(0.5) ? 1 : -1);
  } else if (die < 0.85) {
    extent = random.LogBetween(1, options.max_extent);
  } else {
    extent = random.Between(0, options.max_extent);
  }
  return std::min(extent, options.max_extent);
}

// A literal entry, or a dim of that name, literal or dynamic.
ShapeEntry DrawEntry(const std::string& name, std::int64_t extent, double dynamic, RandomSource& random,
                     DeviceProblem& problem) {
  if (random.Chance(0.2)) return extent;
  const bool is_dynamic = random.Chance(dynamic);
  problem.spec.dims[name] = is_dynamic ? Dim{} : Dim{extent};
  if (is_dynamic) problem.dims[name] = extent;
  return name;
}

}  // namespace

DrawnShape DrawShape(const ShapeOptions& options, RandomSource& random, DeviceProblem& problem) {
  const std::int64_t m = DrawExtent(options, random), n = DrawExtent(options, random), k = DrawExtent(options, random);
  const double dynamic = options.aligned ? 0.0 : 0.2;
  DrawnShape drawn;
  drawn.m = DrawEntry("M", m, 0.4, random, problem);
  // Now and then two dims are one, or all three.
  const bool named = std::holds_alternative<std::string>(drawn.m);
  const bool square = named && random.Chance(0.03);
  const auto shares = [&] { return square || (named && random.Chance(0.04)); };
  const bool shares_n = shares(), shares_k = shares();
  drawn.n = shares_n ? drawn.m : DrawEntry("N", n, dynamic, random, problem);
  drawn.k = shares_k ? drawn.m : DrawEntry("K", k, dynamic, random, problem);
  drawn.extents = {m, shares_n ? m : n, shares_k ? m : k};
  drawn.half_n = drawn.extents.n / 2;
  return drawn;
}

}  // namespace gemmd
