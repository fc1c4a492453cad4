#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <tuple>
#include <utility>

#include "base/status.h"
#include "plan/config_space.h"
#include "plan/cost_model.h"

namespace gemmd {
namespace {

constexpr std::size_t kMaxRankedPerFamily = 12;
// Of one tile and micro tile: where one of them spills, its siblings will too.
constexpr int kMaxRankedPerTile = 2;

// What is preferred where the model can't tell: a deeper pipeline up to four stages, then a longer step along K, then a
// tile wider along N, whose rows are contiguous in the result.
auto TieBreak(const KernelConfig& config) {
  // What shared memory does not take, L1 has. Measured on an H200: mma, bf16 4096^3, 333 us with 3 stages and 359 with
  // 4; wgmma 128x128, f16 8192^3 with a residual and gelu, 1716 us with 5 stages and 1780 with 6.
  const int enough_stages = config.family == Family::kMma ? 3 : config.family == Family::kWgmma ? 5 : 4;
  return std::tuple(std::abs(config.stages - enough_stages), -config.tile_k, config.tile_m, -config.micro_m,
                    -config.micro_n, config.shared_bytes);
}

bool Matches(const KernelConfig& config, const ConfigPin& pin) {
  if (!pin.schedule.empty() && Name(config.family) != pin.schedule) return false;
  if (!pin.tile.empty() && pin.tile != std::vector<std::int64_t>{config.tile_m, config.tile_n, config.tile_k}) {
    return false;
  }
  return !pin.stages || *pin.stages == config.stages;
}

struct Estimated {
  double cycles = 0;
  KernelConfig config;
};

// Estimates within half a percent are equal.
bool IsBetter(const Estimated& left, const Estimated& right) {
  const auto order = [](const Estimated& entry) {
    return std::pair(std::floor(std::log(entry.cycles) * 200), TieBreak(entry.config));
  };
  return order(left) < order(right);
}

// A family's best, best first, with few variations of one tile.
std::vector<Estimated> BestOf(Family family, const Graph& graph, const DeviceLimits& limits, const ConfigPin& pin,
                              const Assumptions& assumptions) {
  std::vector<Estimated> estimated;
  for (const KernelConfig& config : LegalConfigs(family, graph, limits, assumptions)) {
    if (Matches(config, pin)) estimated.push_back({EstimateCycles(config, graph, limits), config});
  }
  std::stable_sort(estimated.begin(), estimated.end(), IsBetter);
  std::vector<Estimated> best;
  std::map<std::tuple<int, int, int, int>, int> siblings;
  for (const Estimated& entry : estimated) {
    if (best.size() == kMaxRankedPerFamily) break;
    const KernelConfig& config = entry.config;
    int& count = siblings[{config.tile_m, config.tile_n, config.micro_m, config.micro_n}];
    if (count++ < kMaxRankedPerTile) best.push_back(entry);
  }
  return best;
}

absl::Status CheckComputable(const Graph& graph) {
  if (graph.precision == Precision::kTf32 || graph.precision == Precision::kTf32x3) {
    return Unimplemented("precision: no schedule computes {}", Name(graph.precision));
  }
  for (const GraphInput& input : graph.inputs) {
    if (!IsImplemented(input.dtype)) return Unimplemented("inputs: no schedule computes {}", Name(input.dtype));
  }
  for (const GraphOutput& output : graph.outputs) {
    if (!IsImplemented(output.dtype)) return Unimplemented("epilogue: no schedule stores {}", Name(output.dtype));
  }
  return absl::OkStatus();
}

std::string Describe(const ConfigPin& pin) {
  std::string text = pin.schedule.empty() ? "any schedule" : pin.schedule;
  if (!pin.tile.empty()) text += fmt::format(", tile [{}]", fmt::join(pin.tile, ", "));
  if (pin.stages) text += fmt::format(", {} stages", *pin.stages);
  return text;
}

}  // namespace

absl::StatusOr<std::vector<KernelConfig>> RankConfigs(const Graph& graph, const DeviceLimits& limits,
                                                      const ConfigPin& pin, const Assumptions& assumptions) {
  GEMMD_RETURN_IF_ERROR(CheckComputable(graph));
  // The tensor-core families compete; simt follows them.
  std::vector<Estimated> ranked = BestOf(Family::kWgmma, graph, limits, pin, assumptions);
  for (const Estimated& entry : BestOf(Family::kMma, graph, limits, pin, assumptions)) ranked.push_back(entry);
  std::stable_sort(ranked.begin(), ranked.end(), IsBetter);
  for (const Estimated& entry : BestOf(Family::kSimt, graph, limits, pin, assumptions)) ranked.push_back(entry);
  std::vector<KernelConfig> configs;
  for (const Estimated& entry : ranked) configs.push_back(entry.config);
  const KernelConfig portable = PortableConfig(graph);
  if (Matches(portable, pin)) {
    std::erase(configs, portable);
    configs.push_back(portable);
  }
  if (configs.empty()) {
    return InvalidArgument(
        "config: {} is not legal for {} on {}; simt takes tiles of multiples of 32 by 8, 16 or 32 "
        "along K and 1 or 2 stages, mma (f16 and bf16) tiles of powers of two from 32 to 256 by 32 "
        "or 64 along K and 2 to 6 stages, wgmma (f16 and bf16 on sm_90a, lines of A and B on 16 bytes, no prologue) "
        "64, 128 or 256 by 64, 128, 192 or 256 by 64 and 2 to 8 stages, within {} bytes of shared memory",
        Describe(pin), Name(graph.inputs[graph.a].dtype), Name(limits.arch), limits.shared_bytes_per_block);
  }
  return configs;
}

}  // namespace gemmd
