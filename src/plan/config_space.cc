#include "plan/config_space.h"

#include <algorithm>
#include <utility>

#include "plan/config_rules.h"

namespace gemmd {
namespace {

// The values each number may take; ConfigRules has the last word on their combinations.
struct Choices {
  std::vector<int> tile, tile_k, micro_m, micro_n, stages, slices_k = {1};
};

Choices ChoicesOf(Family family) {
  switch (family) {
    case Family::kSimt:
      return {
          {16, 32, 64, 96, 128, 160, 192, 224, 256}, {8, 16, 32, 64}, {4, 8}, {4, 8}, {1, 2, 3, 4, 6}, {1, 2, 4, 8}};
    case Family::kMma:
      return {{16, 32, 64, 128, 256}, {32, 64}, {16, 32, 64, 128}, {32, 64, 128}, {2, 3, 4, 5, 6}};
    case Family::kWgmma:
      return {{64, 128, 192, 256}, {32, 64}, {64, 128}, {64, 128, 192, 256}, {2, 3, 4, 5, 6, 7, 8}};
    case Family::kSkinny:
      return {{16, 32, 64, 128, 256}, {64}, {16, 32, 64}, {64, 128, 256}, {3, 4, 5, 6, 8, 10, 14, 20}};
    case Family::kPointwise:
    case Family::kRows:
      break;
  }
  return {};
}

int ThreadsOf(const KernelConfig& config) {
  const int micro_tiles = (config.tile_m / config.micro_m) * (config.tile_n / config.micro_n);
  switch (config.family) {
    case Family::kSimt:
      return micro_tiles * config.slices_k;
    case Family::kMma:
      return micro_tiles * 32;
    case Family::kWgmma:
      return 384;  // a producer and two consumer warpgroups
    case Family::kSkinny:
      return 160;  // a consumer warpgroup and a producer warp
    case Family::kPointwise:
    case Family::kRows:
      break;
  }
  return 0;
}

std::vector<Packing> PackingsOf(Family family, const ConfigRules& rules) {
  if (family != Family::kWgmma) return {Packing::kNone};
  std::vector<Packing> packings = {Packing::kNone, Packing::kA, Packing::kB, Packing::kBoth};
  std::erase_if(packings, [&](Packing packing) { return !rules.Allows(packing); });
  return packings;
}

std::vector<int> CellsOf(Family family, const Graph& graph) {
  if (family != Family::kWgmma) return {0};
  return {ChainOnFragments(graph) ? kFragmentCell : 8, 4};
}

// Passes over most of what the rules would refuse, before its numbers are completed.
bool MayBeLegal(Family family, int tile_m, int tile_n, int micro_m, int micro_n, int slices_k) {
  if (micro_m > tile_m || micro_n > tile_n) return false;
  if (family == Family::kSimt) {
    const int threads = tile_m / micro_m * (tile_n / micro_n) * slices_k;
    return tile_m % (4 * micro_m) == 0 && tile_n % (8 * micro_n) == 0 && threads >= 64 && threads <= 256 &&
           (slices_k == 1 || (tile_m <= 64 && tile_n <= 64));
  }
  if (family == Family::kMma) return micro_m * micro_n <= 4096 && tile_m / micro_m * (tile_n / micro_n) <= 8;
  if (family == Family::kSkinny) return micro_n == tile_n && micro_m == tile_m;
  return family != Family::kWgmma || (micro_n == tile_n && (micro_m == tile_m || 2 * micro_m == tile_m));
}

// Columns that a warp stages at once. In fragments 64, whose 16-bit elements are a whole line of 128 bytes: on an H200
// 5% faster than 32 where no line is aligned (bf16 4096 x 4096 x 4095), and up to 1% elsewhere. What a chain reads of a
// matrix takes registers and a quarter more of the time to compile there: 32.
int SubtileOf(const KernelConfig& config, const Graph& graph, bool reads_a_matrix) {
  const int halves = graph.IsGated() ? 2 : 1;
  const bool wide = config.cell_n == kFragmentCell && !reads_a_matrix && config.tile_n % (halves * 64) == 0;
  return wide ? 64 : 32;
}

KernelConfig Completed(KernelConfig config, const Graph& graph) {
  config.threads = ThreadsOf(config);
  config.shared_bytes = SharedBytes(config, graph);
  return config;
}

}  // namespace

std::vector<KernelConfig> LegalConfigs(Family family, const Graph& graph, const DeviceLimits& limits,
                                       const Assumptions& assumptions) {
  const Choices choices = ChoicesOf(family);
  std::vector<KernelConfig> legal;
  KernelConfig config;
  config.family = family;
  // Measured on an H200, bf16 4096^3 by 128x256: groups of 4, 8 and 16 rows of tiles take 1.026, 1.029 and 1.023 of
  // cuBLAS.
  if (family == Family::kWgmma) config.group_m = 16;
  const bool reads_a_matrix = std::ranges::any_of(graph.epilogue, ReadsAMatrix);
  const ConfigRules rules(graph, limits, assumptions);
  const std::vector<int> cells = CellsOf(family, graph);
  const std::vector<Packing> packings = PackingsOf(family, rules);
  const auto add_if_legal = [&] {
    for (const int cell_n : cells) {
      config.cell_n = cell_n;
      if (family == Family::kWgmma) config.subtile_n = SubtileOf(config, graph, reads_a_matrix);
      KernelConfig completed = Completed(config, graph);
      for (const Packing packing : packings) {
        completed.packing = packing;
        if (rules.Allows(completed)) legal.push_back(completed);
      }
    }
  };
  for (int tile_m : choices.tile) {
    for (int tile_n : choices.tile) {
      for (int micro_m : choices.micro_m) {
        for (int micro_n : choices.micro_n) {
          for (int slices_k : choices.slices_k) {
            if (!MayBeLegal(family, tile_m, tile_n, micro_m, micro_n, slices_k)) continue;
            for (int tile_k : choices.tile_k) {
              for (int stages : choices.stages) {
                const bool async = family == Family::kSimt && stages > kRegisterStages;
                if (async ? !rules.copies_async() : slices_k > 1) continue;
                config.slices_k = slices_k;
                config.tile_m = tile_m;
                config.tile_n = tile_n;
                config.tile_k = tile_k;
                config.micro_m = micro_m;
                config.micro_n = micro_n;
                config.stages = stages;
                add_if_legal();
              }
            }
          }
        }
      }
    }
  }
  return legal;
}

KernelConfig PortableConfig(const Graph& graph) {
  KernelConfig config;
  config.family = Family::kSimt;
  config.tile_m = config.tile_n = 64;
  config.tile_k = 16;
  config.micro_m = 4;
  config.micro_n = graph.IsGated() ? 8 : 4;
  config.stages = 2;
  return Completed(config, graph);
}

}  // namespace gemmd
