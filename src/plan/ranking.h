// The legal configs of a graph, found once and ranked for any M.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "plan/plan.h"

namespace gemmd {

struct Estimated {
  double order = 0;  // of its time: equal within half a percent
  KernelConfig config;
};

class Ranking {
 public:
  // Errors: RankConfigs'.
  static absl::StatusOr<Ranking> Create(const Graph& graph, const DeviceLimits& limits, const ConfigPin& pin,
                                        const Assumptions& assumptions);

  // A handful of configs, the best guess first, as RankConfigs has them; `m`: of the launch, absent: the graph's.
  std::vector<KernelConfig> Ranked(std::optional<std::int64_t> m) const;
  // Ranked(m).front() and some that come close, sooner.
  std::vector<KernelConfig> Leaders(std::int64_t m) const;
  // The graph with that M.
  Graph At(std::optional<std::int64_t> m) const;
  const DeviceLimits& limits() const { return limits_; }

 private:
  Ranking(const Graph& graph, const Graph& whole, const DeviceLimits& limits, const ConfigPin& pin)
      : graph_(graph), whole_(whole), limits_(limits), pin_(pin) {}

  // Of the kernels that take a product, without row_barrier's; simt's where they compete.
  std::vector<Estimated> EstimateProducts(std::optional<std::int64_t> m) const;
  // Whether mma or skinny may be the fastest: where memory is not what is waited for, wgmma multiplies twice as fast.
  bool OthersCompete(const Graph& graph) const;
  // Whether row_barrier comes before a product and a kernel of its own for rows.
  bool PrefersBarrier(std::optional<std::int64_t> m) const;

  Graph graph_;  // of the product where row reductions are a kernel of their own, else the whole one
  Graph whole_;
  DeviceLimits limits_;
  ConfigPin pin_;
  std::vector<KernelConfig> barrier_;                      // row reductions in one kernel
  std::vector<KernelConfig> wgmma_, skinny_, mma_, simt_;  // that the pin allows, before K is divided
  // The best of a family where others come first, the same for any M: mma's where it doesn't compete, and simt's.
  std::vector<Estimated> mma_reserve_, simt_reserve_;
  std::optional<KernelConfig> portable_;  // unless the pin rules it out
};

}  // namespace gemmd
