#include <algorithm>

#include "plan/packing.h"
#include "plan/plan.h"
#include "plan/split_k.h"

namespace gemmd {
namespace {

std::int64_t SimtSharedBytes(const KernelConfig& config) {
  const std::int64_t padding = config.stages > kRegisterStages ? 0 : 4;  // floats a row of either tile
  return std::int64_t{config.stages} * config.tile_k * (config.tile_m + padding + config.tile_n + padding) * 4;
}

// The pipeline's memory becomes the epilogue's: 16 padded f32 rows of each warp's tile (epilogue/warp_staging.cuh).
std::int64_t MmaSharedBytes(const KernelConfig& config, std::int64_t element_bytes) {
  const std::int64_t pipeline =
      std::int64_t{config.stages} * (config.tile_m + config.tile_n) * config.tile_k * element_bytes;
  const std::int64_t epilogue = std::int64_t{config.threads / 32} * 16 * (config.micro_n + 8) * 4;
  return std::max(pipeline, epilogue);
}

// What staging a consumer warp's 16 rows takes: of each slice of outputs as 16-bit elements, or of padded f32.
std::int64_t WgmmaStagingBytes(const KernelConfig& config, const Graph& graph) {
  const std::int64_t halves = graph.IsGated() ? 2 : 1;
  if (config.cell_n != kFragmentCell) return 16 * (halves * config.subtile_n + 8) * 4;
  return std::int64_t{OutputSlices(graph)} * 16 * config.subtile_n * 2;
}

// What two consumers know of the rows of their tiles: two words for each, and one more.
std::int64_t RowMemoryBytes(const KernelConfig& config) {
  return config.rows == RowSchedule::kBarrier ? 2 * (config.micro_m * 8 + 16) : 0;
}

// The ring of stages, the epilogue's staging memory, two barriers a stage, what is known of rows.
std::int64_t WgmmaSharedBytes(const KernelConfig& config, const Graph& graph) {
  constexpr std::int64_t kConsumerWarps = 8, kBarrierBytes = 8;
  const std::int64_t element_bytes = PartsOf(graph) * SizeBytes(graph.inputs[graph.a].dtype);
  return std::int64_t{config.stages} * (config.tile_m + config.tile_n) * config.tile_k * element_bytes +
         kConsumerWarps * WgmmaStagingBytes(config, graph) + 2 * config.stages * kBarrierBytes + RowMemoryBytes(config);
}

// The ring of stages, which becomes the tile of sums, two barriers a stage, and what other CTAs of a cluster leave.
std::int64_t SkinnySharedBytes(const KernelConfig& config) {
  constexpr std::int64_t kBarrierBytes = 8;
  const std::int64_t ring = std::int64_t{config.stages} * (config.tile_m + config.tile_n) * kSwizzleBytes;
  const std::int64_t landing = config.cluster_k > 1 ? std::int64_t{config.tile_m} * config.tile_n * 4 : 0;
  return std::max(ring, SumsTileBytes(config)) + 2 * config.stages * kBarrierBytes + landing;
}

}  // namespace

std::string_view Name(Family family) {
  switch (family) {
    case Family::kSimt:
      return "simt";
    case Family::kMma:
      return "mma";
    case Family::kWgmma:
      return "wgmma";
    case Family::kSkinny:
      return "skinny";
    case Family::kPointwise:
      return "pointwise";
    case Family::kRows:
      return "rows";
  }
  return "";
}

std::optional<Family> FamilyFromName(std::string_view name) {
  for (Family family : {Family::kSimt, Family::kMma, Family::kWgmma, Family::kSkinny}) {
    if (Name(family) == name) return family;
  }
  return std::nullopt;
}

int Weight(OpKind kind) {
  if (Traits(kind).op_class == OpClass::kGate) return 5;  // a function and a product
  constexpr OpKind kCheap[] = {OpKind::kAdd,   OpKind::kSub,  OpKind::kMul,   OpKind::kMax,   OpKind::kMin,
                               OpKind::kDRelu, OpKind::kRelu, OpKind::kAbs,   OpKind::kNeg,   OpKind::kSquare,
                               OpKind::kClamp, OpKind::kCast, OpKind::kStore, OpKind::kRelu2, OpKind::kLeakyRelu};
  return std::find(std::begin(kCheap), std::end(kCheap), kind) != std::end(kCheap) ? 1 : 4;
}

bool ReadsAMatrix(const Node& node) {
  return std::ranges::any_of(node.References(), [](const Reference& reference) {
    return reference.input >= 0 && reference.broadcast == Broadcast::kFull;
  });
}

bool ChainOnFragments(const Graph& graph) {
  // The most that compiles without a spill beside 128 accumulators a thread (NVRTC 13.0, random chains).
  constexpr int kMaxWeight = 8;
  int weight = 0;
  for (const Node& node : graph.epilogue) weight += Weight(node.kind);
  const auto gated = SplitAtGate(graph.epilogue);
  if (!gated) return weight <= kMaxWeight;
  // What is read before a gate is not fetched ahead: by rows it comes in wider accesses. After it there are no
  // registers for a matrix's elements beside much else.
  weight += static_cast<int>(std::ranges::count_if(gated->after, ReadsAMatrix));
  return weight <= kMaxWeight && std::ranges::none_of(gated->before, ReadsAMatrix);
}

int OutputSlices(const Graph& graph) {
  const auto matrices =
      std::ranges::count_if(graph.outputs, [](const GraphOutput& output) { return output.axes.size() == 2; });
  const auto both =
      std::ranges::count_if(graph.outputs, [&](const GraphOutput& output) { return graph.HasBothHalves(output); });
  return static_cast<int>(std::max<std::ptrdiff_t>(1, matrices + both));
}

std::int64_t SharedBytes(const KernelConfig& config, const Graph& graph) {
  switch (config.family) {
    case Family::kSimt:
      return std::max(SimtSharedBytes(config), SplitSharedBytes(config));
    case Family::kMma:
      return std::max(MmaSharedBytes(config, SizeBytes(graph.inputs[graph.a].dtype)), SplitSharedBytes(config));
    case Family::kWgmma:
      return WgmmaSharedBytes(config, graph);
    case Family::kSkinny:
      return SkinnySharedBytes(config);
    case Family::kPointwise:
    case Family::kRows:
      break;
  }
  return 0;
}

}  // namespace gemmd
