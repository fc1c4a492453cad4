#include "plan/split_k.h"

#include <algorithm>
#include <bit>

#include "base/status.h"
#include "plan/cost_model.h"

namespace gemmd {
namespace {

constexpr int kPortableCluster = 8;  // CTAs that any device with clusters takes (CUDA C++ Programming Guide)
constexpr int kMostSplits = 512;

std::int64_t CeilDiv(std::int64_t x, std::int64_t y) { return (x + y - 1) / y; }

bool DividesK(Family family) { return family == Family::kSimt || family == Family::kMma || family == Family::kSkinny; }

int LargestCluster(const DeviceLimits& limits) { return limits.arch.capability() >= 90 ? kPortableCluster : 1; }

std::int64_t TilesAcross(const Graph& graph, const KernelConfig& config) {
  return CeilDiv(graph.n.value_or(kNominalExtent), config.tile_n);
}

}  // namespace

std::int64_t SumsTileBytes(const KernelConfig& config) {
  constexpr std::int64_t kPaddingColumns = 8, kNoteBytes = 16;
  return std::int64_t{config.slices_k} * config.tile_m * (config.tile_n + kPaddingColumns) * 4 + kNoteBytes;
}

std::int64_t SplitSharedBytes(const KernelConfig& config) {
  return config.split_k() * config.slices_k == 1 ? 0 : SumsTileBytes(config);
}

absl::Status CheckSplit(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits) {
  const auto refuse = [](std::string_view field, int found, std::string_view expected) {
    return InvalidArgument("config.{}: {} is not {}", field, found, expected);
  };
  if (!std::has_single_bit(static_cast<unsigned>(config.cluster_k)) || config.cluster_k > kPortableCluster) {
    return refuse("cluster_k", config.cluster_k, "1, 2, 4 or 8");
  }
  if (config.clusters_k < 1 || config.split_k() > kMostSplits) {
    return refuse("clusters_k", config.clusters_k, "a number of clusters by which K is divided at most 512 times");
  }
  if (config.split_k() == 1) return absl::OkStatus();
  if (!DividesK(config.family)) {
    return refuse("cluster_k", config.split_k(), "1: simt, mma and skinny divide K");
  }
  if (config.cluster_k > LargestCluster(limits)) {
    return refuse("cluster_k", config.cluster_k, "1 on a device without clusters");
  }
  if (config.clusters_k > 1 && !graph.n) {
    return refuse("clusters_k", config.clusters_k, "1 where N is dynamic: the workspace is planned");
  }
  return absl::OkStatus();
}

Workspace SplitWorkspace(const Graph& graph, const KernelConfig& config) {
  if (config.clusters_k == 1) return {};
  const std::int64_t across = TilesAcross(graph, config);
  const std::int64_t tile_bytes = std::int64_t{config.tile_m} * config.tile_n * 4;
  return {config.tile_m, across * config.cluster_k * 4, across * config.clusters_k * tile_bytes};
}

void VisitSplits(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits, const ConfigPin& pin,
                 absl::FunctionRef<void(const KernelConfig&)> visit) {
  const auto pinned = [](const std::optional<std::int64_t>& number, std::int64_t value) {
    return !number || *number == value;
  };
  if (pinned(pin.split_k, 1) && pinned(pin.cluster_k, 1)) visit(config);
  if (!DividesK(config.family)) return;
  const std::int64_t tiles =
      std::max<std::int64_t>(1, CeilDiv(graph.m.value_or(kNominalExtent), config.tile_m) * TilesAcross(graph, config));
  const std::int64_t blocks = CeilDiv(graph.k.value_or(kNominalExtent), config.tile_k);
  const int ctas_per_sm = CtasPerSm(config, limits);
  if (!pin.split_k && !pin.cluster_k && 2 * tiles > std::int64_t{limits.sm_count} * ctas_per_sm) return;
  KernelConfig split = config;
  const auto add = [&](int cluster, std::int64_t clusters) {
    if (clusters < 1 || cluster * clusters < 2 || cluster * clusters > kMostSplits) return;
    split.cluster_k = cluster;
    split.clusters_k = static_cast<int>(clusters);
    split.shared_bytes = SharedBytes(split, graph);
    const bool fits = split.shared_bytes <= limits.shared_bytes_per_block;
    if (fits && CheckSplit(split, graph, limits).ok()) visit(split);
  };
  // Where there are clusters shares are added up in some: without, the last CTA of a tile has too much to add.
  const int smallest = pin.split_k || pin.cluster_k ? 1 : std::min(2, LargestCluster(limits));
  for (int cluster = LargestCluster(limits); cluster >= smallest; cluster /= 2) {
    if (!pinned(pin.cluster_k, cluster)) continue;
    if (pin.split_k) {
      if (*pin.split_k % cluster == 0) add(cluster, *pin.split_k / cluster);
      continue;
    }
    // As many as run at once, one on each SM or as many as it holds; each with a block at least.
    const auto clusters = [&](int ctas) {
      return std::min(ClusterSms(cluster, limits) * ctas / cluster / tiles, blocks / cluster);
    };
    add(cluster, clusters(1));
    if (clusters(ctas_per_sm) != clusters(1)) add(cluster, clusters(ctas_per_sm));
  }
}

}  // namespace gemmd
