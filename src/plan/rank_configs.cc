#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "base/status.h"
#include "plan/config_space.h"
#include "plan/cost_model.h"
#include "plan/ranking.h"
#include "plan/row_kernels.h"
#include "plan/split_k.h"

namespace gemmd {
namespace {

constexpr std::size_t kMaxRankedPerFamily = 12;
// Of one tile, micro tile and cell: where one of them spills, its siblings will too.
constexpr int kMaxRankedPerTile = 2;

// What is preferred where the model can't tell: a deeper pipeline up to four stages, then a longer step along K, then a
// tile wider along N, whose rows are contiguous in the result.
auto TieBreak(const KernelConfig& config) {
  // What shared memory does not take, L1 has. Measured on an H200: mma, bf16 4096^3, 333 us with 3 stages and 359 with
  // 4; wgmma 128x128, f16 8192^3 with a residual and gelu, 1716 us with 5 stages and 1780 with 6. Too few stages for
  // wgmma are the model's to see.
  const int enough_stages = config.family == Family::kWgmma ? 2 : config.family == Family::kSkinny ? 10 : 3;
  return std::tuple(std::abs(config.stages - enough_stages), -config.tile_k, config.tile_m, -config.micro_m,
                    -config.micro_n, config.shared_bytes);
}

// Whether two configs differ in less than how the product is divided.
bool HasTileOf(const KernelConfig& config, const KernelConfig& other) {
  const auto tile = [](const KernelConfig& c) {
    return std::tuple(c.family, c.tile_m, c.tile_n, c.micro_m, c.micro_n, c.split_k());
  };
  return tile(config) == tile(other);
}

bool Matches(const KernelConfig& config, const ConfigPin& pin) {
  if (!pin.schedule.empty() && Name(config.family) != pin.schedule) return false;
  if (!pin.tile.empty() && pin.tile != std::vector<std::int64_t>{config.tile_m, config.tile_n, config.tile_k}) {
    return false;
  }
  return !pin.stages || *pin.stages == config.stages;
}

// Whether it or a division of its K is what the pin asks for.
bool CanSplit(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits, const ConfigPin& pin) {
  if (!pin.split_k && !pin.cluster_k) return true;
  bool can = false;
  VisitSplits(config, graph, limits, pin, [&](const KernelConfig&) { can = true; });
  return can;
}

bool IsBetter(const Estimated& left, const Estimated& right) {
  if (left.order != right.order) return left.order < right.order;
  return TieBreak(left.config) < TieBreak(right.config);
}

// Of each config and, if `divides`, of what it becomes by dividing K; without most of those that are hopeless.
std::vector<Estimated> Estimate(const std::vector<KernelConfig>& configs, const Graph& graph,
                                const DeviceLimits& limits, const ConfigPin& pin, bool divides = true) {
  constexpr double kHopeless = 1.6;  // times the best one's time
  std::vector<Estimated> estimated;
  estimated.reserve(configs.size());
  const CostModel model(graph, limits);
  double least = std::numeric_limits<double>::infinity();
  const auto add = [&](const KernelConfig& config) {
    const double cycles = model.Cycles(config);
    if (cycles > kHopeless * least) return;
    least = std::min(least, cycles);
    estimated.push_back({std::floor(std::log(cycles) * 200), config});
  };
  for (const KernelConfig& whole : configs) {
    if (divides) {
      VisitSplits(whole, graph, limits, pin, add);
    } else {
      add(whole);
    }
  }
  return estimated;
}

// Visits them best first, until `visit` returns false: few of many are asked for.
void VisitBestFirst(const std::vector<Estimated>& estimated, absl::FunctionRef<bool(const Estimated&)> visit) {
  std::vector<const Estimated*> heap;
  heap.reserve(estimated.size());
  for (const Estimated& entry : estimated) heap.push_back(&entry);
  const auto worse = [](const Estimated* left, const Estimated* right) { return IsBetter(*right, *left); };
  std::ranges::make_heap(heap, worse);
  while (!heap.empty() && visit(*heap.front())) {
    std::ranges::pop_heap(heap, worse);
    heap.pop_back();
  }
}

// The best, best first, with few variations of one tile.
std::vector<Estimated> BestOf(const std::vector<Estimated>& estimated) {
  std::vector<Estimated> best;
  std::map<std::tuple<int, int, int, int, int>, int> siblings;
  VisitBestFirst(estimated, [&](const Estimated& entry) {
    const KernelConfig& config = entry.config;
    int& count = siblings[{config.tile_m, config.tile_n, config.micro_m, config.micro_n, config.cell_n}];
    if (count++ < kMaxRankedPerTile) best.push_back(entry);
    return best.size() < kMaxRankedPerFamily;
  });
  return best;
}

// Requires one at least.
const Estimated& BestOfAll(const std::vector<Estimated>& estimated) {
  return *std::min_element(estimated.begin(), estimated.end(), IsBetter);
}

// Whether the smallest tiles of row_barrier's are one for each SM.
bool FillsDevice(const std::vector<KernelConfig>& barrier, const Graph& graph, const DeviceLimits& limits) {
  std::int64_t most = 0;
  for (const KernelConfig& config : barrier) {
    const std::int64_t blocks = (graph.m.value_or(kNominalExtent) + config.tile_m - 1) / config.tile_m;
    most = std::max(most, blocks * TilesAcross(graph, config));
  }
  return most >= limits.sm_count;
}

// The tensor-core families compete; simt follows them, but for f32, which they may have to copy first.
bool SimtCompetes(const Graph& graph) { return graph.inputs[graph.a].dtype == DType::kF32; }

absl::Status CheckComputable(const Graph& graph) {
  for (const GraphInput& input : graph.inputs) {
    if (!IsImplemented(input.dtype)) return Unimplemented("inputs: no schedule computes {}", Name(input.dtype));
  }
  for (const GraphOutput& output : graph.outputs) {
    if (!IsStorable(output.dtype)) return Unimplemented("epilogue: no schedule stores {}", Name(output.dtype));
  }
  return absl::OkStatus();
}

Graph With(Graph graph, std::optional<std::int64_t> m) {
  if (m) graph.m = m;
  return graph;
}

std::string Describe(const ConfigPin& pin) {
  std::string text = pin.schedule.empty() ? "any schedule" : pin.schedule;
  if (!pin.tile.empty()) text += fmt::format(", tile [{}]", fmt::join(pin.tile, ", "));
  if (pin.stages) text += fmt::format(", {} stages", *pin.stages);
  if (pin.split_k) text += fmt::format(", K divided by {}", *pin.split_k);
  if (pin.cluster_k) text += fmt::format(", clusters of {}", *pin.cluster_k);
  return text;
}

}  // namespace

absl::StatusOr<Ranking> Ranking::Create(const Graph& whole, const DeviceLimits& limits, const ConfigPin& pin,
                                        const Assumptions& promised) {
  GEMMD_RETURN_IF_ERROR(CheckComputable(whole));
  const RowSchedule rows = ReducesRows(whole) ? RowSchedule::kTwoKernels : RowSchedule::kNone;
  const Graph graph = ProductOf(whole, rows);
  const Assumptions assumptions = ProductOf(whole, rows, promised);
  Ranking ranking(graph, whole, limits, pin);
  const auto legal = [&](Family family) {
    std::vector<KernelConfig> configs = LegalConfigs(family, graph, limits, assumptions);
    for (KernelConfig& config : configs) config.rows = rows;
    std::erase_if(configs, [&](const KernelConfig& config) {
      return !Matches(config, pin) || !CanSplit(config, graph, limits, pin);
    });
    return configs;
  };
  const bool is_split = pin.split_k.value_or(1) != 1 || pin.cluster_k.value_or(1) != 1;
  ranking.wgmma_ = legal(Family::kWgmma);
  if (!is_split) ranking.barrier_ = RowBarrierConfigs(whole, limits, promised);
  std::erase_if(ranking.barrier_, [&](const KernelConfig& config) { return !Matches(config, pin); });
  ranking.skinny_ = legal(Family::kSkinny);
  ranking.mma_ = legal(Family::kMma);
  ranking.simt_ = legal(Family::kSimt);
  // Behind others a family is there to be right, not to be fast.
  const auto reserve = [&](const std::vector<KernelConfig>& configs) {
    return BestOf(Estimate(configs, graph, limits, pin, /*divides=*/false));
  };
  const bool others = !ranking.wgmma_.empty() || !ranking.mma_.empty();
  if (!ranking.wgmma_.empty() && !is_split) ranking.mma_reserve_ = reserve(ranking.mma_);
  if (others && !is_split && !SimtCompetes(graph)) ranking.simt_reserve_ = reserve(ranking.simt_);
  KernelConfig portable = PortableConfig(graph);
  portable.rows = rows;
  if (Matches(portable, pin) && !is_split) ranking.portable_ = portable;
  if (ranking.barrier_.empty() && ranking.wgmma_.empty() && ranking.skinny_.empty() && ranking.mma_.empty() &&
      ranking.simt_.empty() && !ranking.portable_) {
    return InvalidArgument(
        "config: {} is not legal for {} on {}; simt takes tiles of multiples of 32 by 8, 16 or 32 "
        "along K and 1 or 2 stages, mma (f16 and bf16) tiles of powers of two from 32 to 256 by 32 "
        "or 64 along K, of 16 rows where A is row-major, and 2 to 6 stages, wgmma (f16, bf16, tf32 and tf32x3 on "
        "sm_90a) tiles of "
        "64, 128 or 256 by 64, 128, 192 or 256 by 64, for f32 by 32, and 2 to 8 stages, skinny (f16 and bf16 on "
        "sm_90a) tiles of 16, 32 or 64 by 64, 128 or 256 by 64 and 2 to 20 stages, within {} bytes of shared "
        "memory; simt, mma and skinny divide K by up to 512, in clusters of 1, 2, 4 or 8 CTAs that divide it, larger "
        "than 1 from sm_90 on",
        Describe(pin), Name(graph.inputs[graph.a].dtype), Name(limits.arch), limits.shared_bytes_per_block);
  }
  return ranking;
}

std::vector<KernelConfig> Ranking::Ranked(std::optional<std::int64_t> m) const {
  const Graph graph = At(m);
  std::vector<Estimated> ranked;
  const auto add = [&](const std::vector<Estimated>& best) { ranked.insert(ranked.end(), best.begin(), best.end()); };
  const auto add_best = [&](const std::vector<KernelConfig>& configs) {
    add(BestOf(Estimate(configs, graph, limits_, pin_)));
  };
  const bool others_compete = OthersCompete(graph);
  add_best(wgmma_);
  if (others_compete) {
    add_best(skinny_);
    add_best(mma_);
  }
  if (simt_reserve_.empty()) add_best(simt_);
  std::stable_sort(ranked.begin(), ranked.end(), IsBetter);
  if (!others_compete) add(mma_reserve_);
  add(simt_reserve_);
  const std::vector<Estimated> barrier = BestOf(Estimate(barrier_, With(whole_, m), limits_, pin_));
  ranked.insert(PrefersBarrier(m) ? ranked.begin() : ranked.end(), barrier.begin(), barrier.end());
  std::vector<KernelConfig> configs;
  for (const Estimated& entry : ranked) configs.push_back(entry.config);
  if (portable_) {
    std::erase(configs, *portable_);
    configs.push_back(*portable_);
  }
  return configs;
}

std::vector<KernelConfig> Ranking::Leaders(std::int64_t m) const {
  constexpr std::size_t kLeaders = 6;
  const std::vector<Estimated> estimated =
      PrefersBarrier(m) ? Estimate(barrier_, With(whole_, m), limits_, pin_) : EstimateProducts(m);
  if (estimated.empty()) return {*portable_};
  // Several of each tile differ by less than the model knows.
  std::size_t seen = 0;
  std::vector<KernelConfig> leaders;
  VisitBestFirst(estimated, [&](const Estimated& entry) {
    const auto has_tile = [&](const KernelConfig& other) { return HasTileOf(entry.config, other); };
    if (std::ranges::none_of(leaders, has_tile)) leaders.push_back(entry.config);
    return ++seen < 4 * kLeaders && leaders.size() < kLeaders;
  });
  return leaders;
}

std::vector<Estimated> Ranking::EstimateProducts(std::optional<std::int64_t> m) const {
  const Graph graph = At(m);
  std::vector<Estimated> estimated = Estimate(wgmma_, graph, limits_, pin_);
  const auto add = [&](const std::vector<KernelConfig>& configs) {
    const std::vector<Estimated> more = Estimate(configs, graph, limits_, pin_);
    estimated.insert(estimated.end(), more.begin(), more.end());
  };
  if (OthersCompete(graph)) {
    add(mma_);
    add(skinny_);
  }
  if (estimated.empty() || SimtCompetes(graph)) add(simt_);
  return estimated;
}

bool Ranking::OthersCompete(const Graph& graph) const { return wgmma_.empty() || WaitsForMemory(graph); }

bool Ranking::PrefersBarrier(std::optional<std::int64_t> m) const {
  if (barrier_.empty() || StreamsB(whole_)) return false;
  const Graph whole = With(whole_, m);
  const KernelConfig barrier = BestOfAll(Estimate(barrier_, whole, limits_, pin_)).config;
  const bool packs = barrier.packing != Packing::kNone;
  const bool large = !WaitsForMemory(whole) || FillsDevice(barrier_, whole, limits_);
  if (large && !packs) return true;
  const std::vector<Estimated> products = EstimateProducts(m);
  if (products.empty()) return true;
  // What it can't do is divide K, or take factors as they are.
  const KernelConfig& product = BestOfAll(products).config;
  const bool packs_more = packs && product.packing == Packing::kNone;
  if (!packs_more && (large || product.split_k() == 1)) return true;
  const Graph graph = At(m);
  // One kernel where it is not clear that two are faster; with what packs they are as many.
  const double clear = packs_more ? 1 : 0.8;
  const double wait_cycles = packs_more ? 7000 : 0;  // of CTAs for each other
  const CostModel model(whole, limits_), product_model(graph, limits_);
  return clear * model.Cycles(barrier) + wait_cycles < product_model.Cycles(product) + RowPassCycles(whole, limits_);
}

Graph Ranking::At(std::optional<std::int64_t> m) const { return With(graph_, m); }

absl::StatusOr<std::vector<KernelConfig>> RankConfigs(const Graph& graph, const DeviceLimits& limits,
                                                      const ConfigPin& pin, const Assumptions& assumptions) {
  GEMMD_ASSIGN_OR_RETURN(const Ranking ranking, Ranking::Create(graph, limits, pin, assumptions));
  return ranking.Ranked(graph.m);
}

}  // namespace gemmd
