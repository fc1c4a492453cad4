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
  constexpr int kEnoughStages = 4;
  return std::tuple(std::abs(config.stages - kEnoughStages), -config.tile_k, config.tile_m, -config.micro_m,
                    -config.micro_n, config.shared_bytes);
}

bool Matches(const KernelConfig& config, const ConfigPin& pin) {
  if (!pin.schedule.empty() && Name(config.family) != pin.schedule) return false;
  if (!pin.tile.empty() && pin.tile != std::vector<std::int64_t>{config.tile_m, config.tile_n, config.tile_k}) {
    return false;
  }
  return !pin.stages || *pin.stages == config.stages;
}

std::vector<KernelConfig> Ranked(Family family, const Graph& graph, const DeviceLimits& limits, const ConfigPin& pin) {
  std::vector<std::pair<double, KernelConfig>> estimated;
  for (const KernelConfig& config : LegalConfigs(family, graph, limits)) {
    if (Matches(config, pin)) estimated.emplace_back(EstimateCycles(config, graph, limits), config);
  }
  // Estimates within half a percent are equal.
  const auto order = [](const auto& entry) {
    return std::pair(std::floor(std::log(entry.first) * 200), TieBreak(entry.second));
  };
  std::stable_sort(estimated.begin(), estimated.end(),
                   [&](const auto& left, const auto& right) { return order(left) < order(right); });
  std::vector<KernelConfig> configs;
  std::map<std::tuple<int, int, int, int>, int> siblings;
  for (const auto& [cycles, config] : estimated) {
    if (configs.size() == kMaxRankedPerFamily) break;
    int& count = siblings[{config.tile_m, config.tile_n, config.micro_m, config.micro_n}];
    if (count++ < kMaxRankedPerTile) configs.push_back(config);
  }
  return configs;
}

absl::Status CheckComputable(const Graph& graph) {
  if (!graph.prologue_a.empty() || !graph.prologue_b.empty())
    return Unimplemented("prologue: no schedule computes one");
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
                                                      const ConfigPin& pin) {
  GEMMD_RETURN_IF_ERROR(CheckComputable(graph));
  std::vector<KernelConfig> configs;
  for (Family family : {Family::kMma, Family::kSimt}) {
    const std::vector<KernelConfig> ranked = Ranked(family, graph, limits, pin);
    configs.insert(configs.end(), ranked.begin(), ranked.end());
  }
  const KernelConfig portable = PortableConfig(graph);
  if (Matches(portable, pin)) {
    std::erase(configs, portable);
    configs.push_back(portable);
  }
  if (configs.empty()) {
    return InvalidArgument(
        "config: {} is not legal for {} on {}; simt takes tiles of multiples of 32 by 8, 16 or 32 "
        "along K and 1 or 2 stages, mma (f16 and bf16) tiles of powers of two from 32 to 256 by 32 "
        "or 64 along K and 2 to 6 stages, within {} bytes of shared memory",
        Describe(pin), Name(graph.inputs[graph.a].dtype), Name(limits.arch), limits.shared_bytes_per_block);
  }
  return configs;
}

}  // namespace gemmd
