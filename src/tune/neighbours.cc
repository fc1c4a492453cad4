#include "tune/neighbours.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "plan/config_space.h"
#include "plan/cost_model.h"
#include "plan/row_kernels.h"
#include "plan/split_k.h"

namespace gemmd {
namespace {

bool WithinTwice(int a, int b) { return a <= 2 * b && b <= 2 * a; }

// Whether `to` is one step from `from`; both legal, of one family, packing and row schedule. How often K is divided
// follows from the tile, so that another tile may divide it differently.
bool IsOneStep(const KernelConfig& from, const KernelConfig& to) {
  const bool rows = from.tile_m != to.tile_m || from.micro_m != to.micro_m;
  const bool columns = from.tile_n != to.tile_n || from.micro_n != to.micro_n;
  const bool divides = from.cluster_k != to.cluster_k || from.clusters_k != to.clusters_k;
  const int steps = rows + columns + (from.tile_k != to.tile_k) + (from.stages != to.stages) +
                    (from.cell_n != to.cell_n) + (from.slices_k != to.slices_k) + (from.group_m != to.group_m) +
                    (divides && !rows && !columns);
  if (steps != 1 || std::abs(from.stages - to.stages) > 1) return false;
  if ((rows || columns) && (from.split_k() == 1) != (to.split_k() == 1)) return false;
  return WithinTwice(from.tile_m, to.tile_m) && WithinTwice(from.tile_n, to.tile_n) &&
         WithinTwice(from.tile_k, to.tile_k) && WithinTwice(from.slices_k, to.slices_k) &&
         WithinTwice(from.group_m, to.group_m);
}

// Configs with their cycles by the cost model.
using Predicted = std::vector<std::pair<double, KernelConfig>>;

std::vector<KernelConfig> BestFirst(Predicted found, std::size_t limit) {
  std::ranges::stable_sort(found, {}, &std::pair<double, KernelConfig>::first);
  if (found.size() > limit) found.resize(limit);
  std::vector<KernelConfig> best;
  for (const auto& [cycles, config] : found) best.push_back(config);
  return best;
}

}  // namespace

absl::Status CheckWholeConfig(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits,
                              const Assumptions& assumptions) {
  if (ReducesRows(graph) != (config.rows != RowSchedule::kNone)) {
    return InvalidArgument("config.rows: {} for an epilogue {} row reductions", Name(config.rows),
                           ReducesRows(graph) ? "with" : "without");
  }
  return CheckConfig(config, ProductOf(graph, config.rows), limits, ProductOf(graph, config.rows, assumptions));
}

std::vector<KernelConfig> Neighbours(const KernelConfig& config, const Graph& whole, const DeviceLimits& limits,
                                     const Assumptions& promised, std::int64_t m, std::size_t limit) {
  Graph graph = ProductOf(whole, config.rows);
  graph.m = m;
  const Assumptions assumptions = ProductOf(whole, config.rows, promised);
  const CostModel model(graph, limits);
  Predicted found;
  const auto consider = [&](const KernelConfig& other) {
    if (other.packing != config.packing || !IsOneStep(config, other)) return;
    if (!CheckWholeConfig(other, whole, limits, promised).ok()) return;
    found.emplace_back(model.Cycles(other), other);
  };
  for (KernelConfig other : config.rows == RowSchedule::kBarrier
                                ? RowBarrierConfigs(whole, limits, promised)
                                : LegalConfigs(config.family, graph, limits, assumptions)) {
    other.rows = config.rows;
    other.group_m = config.group_m;
    VisitSplits(other, graph, limits, ConfigPin{}, consider);
  }
  for (const int group_m : {config.group_m / 2, config.group_m * 2}) {
    KernelConfig other = config;
    other.group_m = group_m;
    consider(other);
  }
  return BestFirst(std::move(found), limit);
}

std::vector<KernelConfig> EveryConfig(const Graph& whole, const DeviceLimits& limits, const Assumptions& promised,
                                      std::int64_t m, std::size_t limit) {
  const RowSchedule rows = ReducesRows(whole) ? RowSchedule::kTwoKernels : RowSchedule::kNone;
  Graph graph = ProductOf(whole, rows);
  graph.m = m;
  const Assumptions assumptions = ProductOf(whole, rows, promised);
  const CostModel model(graph, limits);
  std::vector<std::vector<KernelConfig>> families = {RowBarrierConfigs(whole, limits, promised)};
  for (const Family family : {Family::kWgmma, Family::kSkinny, Family::kMma, Family::kSimt}) {
    Predicted found;
    for (KernelConfig config : LegalConfigs(family, graph, limits, assumptions)) {
      config.rows = rows;
      VisitSplits(config, graph, limits, ConfigPin{},
                  [&](const KernelConfig& split) { found.emplace_back(model.Cycles(split), split); });
    }
    families.push_back(BestFirst(std::move(found), limit));
  }
  std::vector<KernelConfig> every;
  for (std::size_t place = 0; place < limit; ++place) {
    for (const std::vector<KernelConfig>& family : families) {
      if (place < family.size() && every.size() < limit) every.push_back(family[place]);
    }
  }
  return every;
}

}  // namespace gemmd
