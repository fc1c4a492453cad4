#include <algorithm>

#include "base/status.h"
#include "plan/packing.h"
#include "plan/plan.h"
#include "plan/row_kernels.h"
#include "plan/split_k.h"

namespace gemmd {
namespace {

// `expected`: a format of `values`, filled in only where it is needed: planning asks for thousands of configs.
template <typename... Values>
absl::Status Require(bool held, std::string_view field, std::int64_t found, std::string_view expected,
                     const Values&... values) {
  if (held) return absl::OkStatus();
  return InvalidArgument("config.{}: {} is not {}", field, found,
                         fmt::vformat(expected, fmt::make_format_args(values...)));
}

bool IsPowerOfTwo(int value) { return value > 0 && (value & (value - 1)) == 0; }
bool OneOf(int value, std::initializer_list<int> values) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

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

absl::Status CheckSimt(const KernelConfig& config, const Graph& graph, const Assumptions& assumptions) {
  const auto legal_tile = [](int tile) { return tile >= 32 && tile <= 256 && tile % 32 == 0; };
  GEMMD_RETURN_IF_ERROR(Require(config.tile_m == 16 || legal_tile(config.tile_m), "tile_m", config.tile_m,
                                "16, or a multiple of 32 up to 256"));
  GEMMD_RETURN_IF_ERROR(Require(legal_tile(config.tile_n), "tile_n", config.tile_n, "a multiple of 32 up to 256"));
  GEMMD_RETURN_IF_ERROR(Require(OneOf(config.tile_k, {8, 16, 32, 64}), "tile_k", config.tile_k, "8, 16, 32 or 64"));
  const bool async = config.stages > kRegisterStages;
  GEMMD_RETURN_IF_ERROR(
      Require(!async || config.tile_k >= 16, "tile_k", config.tile_k, "16, 32 or 64 where copies are asynchronous"));
  GEMMD_RETURN_IF_ERROR(Require(OneOf(config.micro_m, {4, 8}), "micro_m", config.micro_m, "4 or 8"));
  GEMMD_RETURN_IF_ERROR(Require(OneOf(config.micro_n, {4, 8}), "micro_n", config.micro_n, "4 or 8"));
  GEMMD_RETURN_IF_ERROR(Require(!graph.IsGated() || config.micro_n == 8, "micro_n", config.micro_n,
                                "8, of which a gate's halves have 4 columns each"));
  GEMMD_RETURN_IF_ERROR(Require(config.stages >= 1 && config.stages <= 6, "stages", config.stages, "between 1 and 6"));
  GEMMD_RETURN_IF_ERROR(Require(!async || CopiesAsync(graph, assumptions), "stages", config.stages,
                                "1 or 2, unless both factors are f32 in chunks of 16 bytes without a prologue"));
  // A warp is 4 threads along M by 8 along N.
  const int threads_m = config.tile_m / config.micro_m, threads_n = config.tile_n / config.micro_n;
  GEMMD_RETURN_IF_ERROR(Require(threads_m % 4 == 0, "micro_m", config.micro_m, "a split of tile_m into 4 n threads"));
  GEMMD_RETURN_IF_ERROR(Require(threads_n % 8 == 0, "micro_n", config.micro_n, "a split of tile_n into 8 n threads"));
  GEMMD_RETURN_IF_ERROR(Require(config.threads == threads_m * threads_n * config.slices_k, "threads", config.threads,
                                "the tile over the micro tile, for each slice"));
  GEMMD_RETURN_IF_ERROR(Require(!async || (IsPowerOfTwo(config.tile_m) && IsPowerOfTwo(config.tile_n)), "tile_m",
                                config.tile_m, "a power of two, like tile_n, where copies are asynchronous"));
  GEMMD_RETURN_IF_ERROR(
      Require(config.slices_k == 1 || async, "slices_k", config.slices_k, "1, unless copies are asynchronous"));
  GEMMD_RETURN_IF_ERROR(Require(OneOf(config.slices_k, {1, 2, 4, 8}) && config.tile_k % (4 * config.slices_k) == 0,
                                "slices_k", config.slices_k, "1, 2, 4 or 8, each with four steps of a block"));
  const bool small = config.tile_m <= 64 && config.tile_n <= 64;
  GEMMD_RETURN_IF_ERROR(
      Require(config.slices_k == 1 || small, "slices_k", config.slices_k, "1 for tiles of more than 64 by 64"));
  // Beside its accumulators a thread holds what it fetched for the next block of K, and where each element comes by an
  // access of its own its address too: more than this spilled.
  const int fetched = (config.tile_m + config.tile_n) * config.tile_k / config.threads;
  const int micro = config.micro_m * config.micro_n;
  const int most_fetched = micro == 16 ? 64 : micro < 64 ? 32 : 24;
  GEMMD_RETURN_IF_ERROR(
      Require(async || fetched <= most_fetched, "tile_k", config.tile_k,
              "at most 32 fetched elements a thread, 64 beside a micro tile of 4 by 4, 24 beside one of 8 by 8"));
  // Over 256 threads have at most 128 registers each, which a micro tile of 8 by 8 needs: ptxas' choices were poor
  // (f32 4096^3 on an H200: 4164 us with 512 threads, 3439 with 256).
  return Require(config.threads >= 64 && config.threads <= 256, "threads", config.threads, "between 64 and 256");
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

// Elements of one line of an operand's tile in shared memory: along K, or along M (or N) where that is contiguous.
int SharedLine(const Graph& graph, const KernelConfig& config, bool is_a) {
  const bool row_major = graph.inputs[is_a ? graph.a : graph.b].layout == Layout::kRowMajor;
  if (is_a == row_major) return config.tile_k;
  return is_a ? config.tile_m : config.tile_n;
}

// Vectors and matrices that the chains read or store: each takes registers for its addresses.
int ChainTensors(const Graph& graph) {
  int tensors = static_cast<int>(graph.outputs.size());
  for (int i = 0; i < static_cast<int>(graph.inputs.size()); ++i) {
    const bool product = i == graph.a || i == graph.b;
    if (!product && !graph.inputs[i].axes.empty()) ++tensors;
  }
  return tensors;
}

bool HasPrologue(const Graph& graph) { return !graph.prologue_a.empty() || !graph.prologue_b.empty(); }

absl::Status CheckMma(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits) {
  const DType dtype = graph.inputs[graph.a].dtype;
  if (dtype != DType::kF16 && dtype != DType::kBf16) {
    return InvalidArgument("config.schedule: mma is not for {} inputs", Name(dtype));
  }
  if (limits.arch.capability() < 80) return InvalidArgument("config.schedule: mma is not for {}", Name(limits.arch));
  const auto legal_tile = [](int tile) { return tile >= 32 && tile <= 256 && IsPowerOfTwo(tile); };
  // A line of column-major A has eight chunks at least, to be free of bank conflicts.
  const bool low = config.tile_m == 16 && RunsAlongK(graph, true);
  GEMMD_RETURN_IF_ERROR(Require(low || legal_tile(config.tile_m), "tile_m", config.tile_m,
                                "32, 64, 128 or 256, or 16 where A is row-major"));
  GEMMD_RETURN_IF_ERROR(Require(legal_tile(config.tile_n), "tile_n", config.tile_n, "32, 64, 128 or 256"));
  GEMMD_RETURN_IF_ERROR(Require(OneOf(config.tile_k, {32, 64}), "tile_k", config.tile_k, "32 or 64"));
  GEMMD_RETURN_IF_ERROR(
      Require(OneOf(config.micro_m, {16, 32, 64, 128}), "micro_m", config.micro_m, "16, 32, 64 or 128"));
  GEMMD_RETURN_IF_ERROR(Require(OneOf(config.micro_n, {32, 64, 128}), "micro_n", config.micro_n, "32, 64 or 128"));
  GEMMD_RETURN_IF_ERROR(Require(!graph.IsGated() || config.micro_n >= 64, "micro_n", config.micro_n,
                                "64 or 128, of which a gate's halves have at least 32 columns each"));
  GEMMD_RETURN_IF_ERROR(Require(config.micro_m <= config.tile_m, "micro_m", config.micro_m, "within tile_m"));
  GEMMD_RETURN_IF_ERROR(Require(config.micro_n <= config.tile_n, "micro_n", config.micro_n, "within tile_n"));
  const int warp_tile = config.micro_m * config.micro_n;
  GEMMD_RETURN_IF_ERROR(Require(warp_tile <= 64 * 64, "micro_m", config.micro_m,
                                "a warp tile of at most 4096 elements: accumulators are registers"));
  // Beside the largest warp tiles ptxas has no registers for more: of those for sm_100a most spill, and elsewhere some
  // with a prologue, a gate or a chain that reaches seven tensors.
  const bool tight = limits.arch.major == 10 || HasPrologue(graph) || graph.IsGated() || ChainTensors(graph) > 6;
  GEMMD_RETURN_IF_ERROR(
      Require(!tight || warp_tile <= 64 * 32, "micro_m", config.micro_m,
              "a warp tile of at most 2048 elements, for this arch, prologue, gate or number of tensors"));
  GEMMD_RETURN_IF_ERROR(Require(config.stages >= 2 && config.stages <= 6, "stages", config.stages, "between 2 and 6"));
  const int warps = config.tile_m / config.micro_m * (config.tile_n / config.micro_n);
  GEMMD_RETURN_IF_ERROR(Require(config.threads == warps * 32, "threads", config.threads, "32 a warp tile"));
  GEMMD_RETURN_IF_ERROR(Require(warps <= 8, "threads", config.threads, "at most 256"));
  // A thread's copies lie a multiple of 8 lines apart, 8 elements each: they share one bank permutation.
  const int line = std::max(SharedLine(graph, config, true), SharedLine(graph, config, false));
  return Require(config.threads >= line, "threads", config.threads, "at least a line of the tiles in shared memory");
}

// Whether the copy engine can fetch a matrix: its lines start on 16 bytes (CUDA driver API, cuTensorMapEncodeTiled).
bool Mappable(const Graph& graph, int input, const Assumptions& assumptions) {
  return Completed(graph, assumptions).inputs[input] == kAccessBytes;
}

// What the product can't take of a factor as it lies in memory; empty where it can.
std::string_view WhyNotAsItIs(const Graph& graph, bool is_a, const Assumptions& assumptions) {
  const int factor = is_a ? graph.a : graph.b;
  if (PartsOf(graph) > 1) return "elements that are not in two parts of tf32";
  if (OnlyAlongK(graph.inputs[factor].dtype) && !RunsAlongK(graph, is_a)) return "lines that do not run along K";
  return Mappable(graph, factor, assumptions) ? "" : "lines that do not start on 16 bytes";
}

absl::Status CheckWgmma(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits,
                        const Assumptions& assumptions) {
  const DType dtype = graph.inputs[graph.a].dtype;
  const bool is_tf32 = graph.precision == Precision::kTf32 || graph.precision == Precision::kTf32x3;
  if (dtype != DType::kF16 && dtype != DType::kBf16 && !is_tf32) {
    return InvalidArgument("config.schedule: wgmma is not for {} inputs{}", Name(dtype),
                           dtype == DType::kF32 ? " unless their precision is tf32 or tf32x3" : "");
  }
  if (limits.arch != Arch{9, 0, true}) {
    return InvalidArgument("config.schedule: wgmma is for sm_90a, not for {}", Name(limits.arch));
  }
  // Registers a thread; tf32x3 has a block's sums beside the tile's, and a chain by rows needs some of them.
  const int beside_sums = config.cell_n == kFragmentCell ? 96 : 64;
  const int most_accumulators = PartsOf(graph) > 1 ? beside_sums : 128;
  GEMMD_RETURN_IF_ERROR(Require(OneOf(config.tile_m, {64, 128, 256}), "tile_m", config.tile_m, "64, 128 or 256"));
  GEMMD_RETURN_IF_ERROR(
      Require(OneOf(config.tile_n, {64, 128, 192, 256}), "tile_n", config.tile_n, "64, 128, 192 or 256"));
  const std::int64_t line = kSwizzleBytes / SizeBytes(dtype);
  GEMMD_RETURN_IF_ERROR(Require(config.tile_k == line, "tile_k", config.tile_k, "{} for {}", line, Name(dtype)));
  const bool ping_pong = config.micro_m == config.tile_m;
  GEMMD_RETURN_IF_ERROR(Require(config.micro_m % 64 == 0 && (ping_pong || config.micro_m * 2 == config.tile_m),
                                "micro_m", config.micro_m, "tile_m or half of it, in multiples of 64"));
  GEMMD_RETURN_IF_ERROR(Require(config.micro_n == config.tile_n, "micro_n", config.micro_n, "tile_n"));
  GEMMD_RETURN_IF_ERROR(Require(config.micro_m * config.micro_n <= most_accumulators * 128, "micro_m", config.micro_m,
                                "a warpgroup tile of at most {} elements: accumulators are registers",
                                most_accumulators * 128));
  // Two stages of A's fragments lie in registers while a prologue works on them.
  const bool prepares_a = !graph.prologue_a.empty() && !PacksA(config.packing);
  GEMMD_RETURN_IF_ERROR(Require(!prepares_a || config.micro_m == 64, "micro_m", config.micro_m,
                                "64, for registers, where A has a prologue"));
  const bool by_rows_after_prologue = prepares_a && config.cell_n != kFragmentCell;
  GEMMD_RETURN_IF_ERROR(Require(!by_rows_after_prologue || config.micro_n <= 192, "tile_n", config.tile_n,
                                "at most 192, for registers, where A has a prologue and the epilogue is long"));
  GEMMD_RETURN_IF_ERROR(Require(config.stages >= 2 && config.stages <= 8, "stages", config.stages, "between 2 and 8"));
  GEMMD_RETURN_IF_ERROR(Require(OneOf(config.subtile_n, {32, 64}), "subtile_n", config.subtile_n, "32 or 64"));
  // By rows of 8 a short chain would only be slower; of 4 it has registers that its fragments may not leave it.
  const bool by_rows = config.rows == RowSchedule::kBarrier;
  if (by_rows) GEMMD_RETURN_IF_ERROR(CheckRowBarrier(config, graph, limits.sm_count));
  const int widest = by_rows || ChainOnFragments(graph) ? kFragmentCell : 8;
  GEMMD_RETURN_IF_ERROR(Require(config.cell_n == widest || config.cell_n == 4, "cell_n", config.cell_n,
                                "4, or 2 for a short chain and 8 for a long one"));
  if (graph.IsGated()) {
    // The copy engine fetches row-major B by 64 columns, from multiples of 16 bytes on.
    const bool row_major = graph.inputs[graph.b].layout == Layout::kRowMajor && !OnlyAlongK(dtype);
    constexpr int kCopiedElements = kAccessBytes / 2;
    if (row_major && graph.n.value_or(1) % (2 * kCopiedElements) != 0) {
      return InvalidArgument(
          "config.schedule: wgmma takes gates whose halves of row-major B are multiples of {} columns",
          kCopiedElements);
    }
    const int whole = row_major ? 64 : config.subtile_n;
    GEMMD_RETURN_IF_ERROR(
        Require(config.tile_n / 2 % whole == 0, "tile_n", config.tile_n,
                "for a gate two halves of multiples of subtile_n columns, or of 64 where B is row-major"));
  }
  GEMMD_RETURN_IF_ERROR(Require(config.threads == 384, "threads", config.threads, "384"));
  return CheckPacking(config.packing, graph, assumptions);
}

}  // namespace

bool CopiesAsync(const Graph& graph, const Assumptions& assumptions) {
  constexpr int kChunk = 4;
  if (HasPrologue(graph) || graph.inputs[graph.a].dtype != DType::kF32) return false;
  const AccessWidths widths = WidthsOf(graph, assumptions);
  return widths.inputs[graph.a] == kChunk && widths.inputs[graph.b] == kChunk;
}

absl::Status CheckPacking(Packing packing, const Graph& graph, const Assumptions& assumptions) {
  const auto check = [&](bool packed, bool is_a, bool prologue) {
    const std::string_view name = is_a ? "A" : "B", why_not = WhyNotAsItIs(graph, is_a, assumptions);
    if (packed && why_not.empty() && !prologue) {
      return InvalidArgument("config.packing: {} is ready for the product as it is", name);
    }
    if (!packed && !why_not.empty()) return InvalidArgument("config.packing: {} has {}", name, why_not);
    const bool through_registers = is_a && !OnlyAlongK(graph.inputs[graph.a].dtype);
    if (!packed && prologue && !through_registers) {
      return InvalidArgument("config.packing: {} is multiplied straight from shared memory, after no prologue", name);
    }
    return absl::OkStatus();
  };
  GEMMD_RETURN_IF_ERROR(check(PacksA(packing), true, !graph.prologue_a.empty()));
  return check(PacksB(packing), false, !graph.prologue_b.empty());
}

std::string_view Name(Family family) {
  switch (family) {
    case Family::kSimt:
      return "simt";
    case Family::kMma:
      return "mma";
    case Family::kWgmma:
      return "wgmma";
    case Family::kPointwise:
      return "pointwise";
    case Family::kRows:
      return "rows";
  }
  return "";
}

std::optional<Family> FamilyFromName(std::string_view name) {
  for (Family family : {Family::kSimt, Family::kMma, Family::kWgmma}) {
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
    case Family::kPointwise:
    case Family::kRows:
      break;
  }
  return 0;
}

absl::Status CheckConfig(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits,
                         const Assumptions& assumptions) {
  switch (config.family) {
    case Family::kSimt:
      GEMMD_RETURN_IF_ERROR(CheckSimt(config, graph, assumptions));
      break;
    case Family::kMma:
      GEMMD_RETURN_IF_ERROR(CheckMma(config, graph, limits));
      break;
    case Family::kWgmma:
      GEMMD_RETURN_IF_ERROR(CheckWgmma(config, graph, limits, assumptions));
      break;
    case Family::kPointwise:
    case Family::kRows:
      return InvalidArgument("config.schedule: {} takes no products", Name(config.family));
  }
  GEMMD_RETURN_IF_ERROR(
      Require(config.group_m >= 1 && config.group_m <= 64, "group_m", config.group_m, "between 1 and 64"));
  GEMMD_RETURN_IF_ERROR(CheckSplit(config, graph, limits));
  GEMMD_RETURN_IF_ERROR(Require(config.shared_bytes == SharedBytes(config, graph), "shared_bytes", config.shared_bytes,
                                "what the schedule needs"));
  return Require(config.shared_bytes <= limits.shared_bytes_per_block, "shared_bytes", config.shared_bytes,
                 "within a block's {}", limits.shared_bytes_per_block);
}

}  // namespace gemmd
