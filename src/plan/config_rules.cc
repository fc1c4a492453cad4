#include "plan/config_rules.h"

#include <algorithm>

#include "base/status.h"
#include "plan/packing.h"
#include "plan/row_kernels.h"
#include "plan/split_k.h"

namespace gemmd {
namespace {

bool IsPowerOfTwo(int value) { return value > 0 && (value & (value - 1)) == 0; }
bool OneOf(int value, std::initializer_list<int> values) {
  return std::find(values.begin(), values.end(), value) != values.end();
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

}  // namespace

// What the rules say to one config.
class ConfigInquiry {
 public:
  // Where it does not explain, a refusal is without text.
  ConfigInquiry(const ConfigRules& rules, const KernelConfig& config, bool explains)
      : rules_(rules), config_(config), explains_(explains) {}

  absl::Status Answer() const {
    switch (config_.family) {
      case Family::kSimt:
        GEMMD_RETURN_IF_ERROR(CheckSimt());
        break;
      case Family::kMma:
        GEMMD_RETURN_IF_ERROR(CheckMma());
        break;
      case Family::kWgmma:
        GEMMD_RETURN_IF_ERROR(CheckWgmma());
        break;
      case Family::kSkinny:
        GEMMD_RETURN_IF_ERROR(CheckSkinny());
        break;
      case Family::kPointwise:
      case Family::kRows:
        return InvalidArgument("config.schedule: {} takes no products", Name(config_.family));
    }
    GEMMD_RETURN_IF_ERROR(
        Require(config_.group_m >= 1 && config_.group_m <= 64, "group_m", config_.group_m, "between 1 and 64"));
    GEMMD_RETURN_IF_ERROR(CheckSplit(config_, rules_.graph_, rules_.limits_));
    GEMMD_RETURN_IF_ERROR(Require(config_.shared_bytes == SharedBytes(config_, rules_.graph_), "shared_bytes",
                                  config_.shared_bytes, "what the schedule needs"));
    return Require(config_.shared_bytes <= rules_.limits_.shared_bytes_per_block, "shared_bytes", config_.shared_bytes,
                   "within a block's {}", rules_.limits_.shared_bytes_per_block);
  }

 private:
  // `text`: a format of `values`, filled in only where it is asked for.
  template <typename... Values>
  absl::Status Refuse(std::string_view text, const Values&... values) const {
    if (!explains_) return absl::Status(absl::StatusCode::kInvalidArgument, "");
    return InvalidArgument("{}", fmt::vformat(text, fmt::make_format_args(values...)));
  }

  // `expected`: likewise.
  template <typename... Values>
  absl::Status Require(bool held, std::string_view field, std::int64_t found, std::string_view expected,
                       const Values&... values) const {
    if (held) return absl::OkStatus();
    if (!explains_) return Refuse("");
    return Refuse("config.{}: {} is not {}", field, found, fmt::vformat(expected, fmt::make_format_args(values...)));
  }

  absl::Status CheckSimt() const {
    const auto legal_tile = [](int tile) { return tile >= 32 && tile <= 256 && tile % 32 == 0; };
    GEMMD_RETURN_IF_ERROR(Require(config_.tile_m == 16 || legal_tile(config_.tile_m), "tile_m", config_.tile_m,
                                  "16, or a multiple of 32 up to 256"));
    GEMMD_RETURN_IF_ERROR(Require(legal_tile(config_.tile_n), "tile_n", config_.tile_n, "a multiple of 32 up to 256"));
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.tile_k, {8, 16, 32, 64}), "tile_k", config_.tile_k, "8, 16, 32 or 64"));
    const bool async = config_.stages > kRegisterStages;
    GEMMD_RETURN_IF_ERROR(Require(!async || config_.tile_k >= 16, "tile_k", config_.tile_k,
                                  "16, 32 or 64 where copies are asynchronous"));
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.micro_m, {4, 8}), "micro_m", config_.micro_m, "4 or 8"));
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.micro_n, {4, 8}), "micro_n", config_.micro_n, "4 or 8"));
    GEMMD_RETURN_IF_ERROR(Require(!rules_.gated_ || config_.micro_n == 8, "micro_n", config_.micro_n,
                                  "8, of which a gate's halves have 4 columns each"));
    GEMMD_RETURN_IF_ERROR(
        Require(config_.stages >= 1 && config_.stages <= 6, "stages", config_.stages, "between 1 and 6"));
    GEMMD_RETURN_IF_ERROR(Require(!async || rules_.copies_async_, "stages", config_.stages,
                                  "1 or 2, unless both factors are f32 in chunks of 16 bytes without a prologue"));
    // A warp is 4 threads along M by 8 along N.
    const int threads_m = config_.tile_m / config_.micro_m, threads_n = config_.tile_n / config_.micro_n;
    GEMMD_RETURN_IF_ERROR(
        Require(threads_m % 4 == 0, "micro_m", config_.micro_m, "a split of tile_m into 4 n threads"));
    GEMMD_RETURN_IF_ERROR(
        Require(threads_n % 8 == 0, "micro_n", config_.micro_n, "a split of tile_n into 8 n threads"));
    GEMMD_RETURN_IF_ERROR(Require(config_.threads == threads_m * threads_n * config_.slices_k, "threads",
                                  config_.threads, "the tile over the micro tile, for each slice"));
    GEMMD_RETURN_IF_ERROR(Require(!async || (IsPowerOfTwo(config_.tile_m) && IsPowerOfTwo(config_.tile_n)), "tile_m",
                                  config_.tile_m, "a power of two, like tile_n, where copies are asynchronous"));
    GEMMD_RETURN_IF_ERROR(
        Require(config_.slices_k == 1 || async, "slices_k", config_.slices_k, "1, unless copies are asynchronous"));
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.slices_k, {1, 2, 4, 8}) && config_.tile_k % (4 * config_.slices_k) == 0,
                                  "slices_k", config_.slices_k, "1, 2, 4 or 8, each with four steps of a block"));
    const bool small = config_.tile_m <= 64 && config_.tile_n <= 64;
    GEMMD_RETURN_IF_ERROR(
        Require(config_.slices_k == 1 || small, "slices_k", config_.slices_k, "1 for tiles of more than 64 by 64"));
    // Beside its accumulators a thread holds what it fetched for the next block of K, and where each element comes by
    // an access of its own its address too: more than this spilled.
    const int fetched = (config_.tile_m + config_.tile_n) * config_.tile_k / config_.threads;
    const int micro = config_.micro_m * config_.micro_n;
    const int most_fetched = micro == 16 ? 64 : micro < 64 ? 32 : 24;
    GEMMD_RETURN_IF_ERROR(
        Require(async || fetched <= most_fetched, "tile_k", config_.tile_k,
                "at most 32 fetched elements a thread, 64 beside a micro tile of 4 by 4, 24 beside one of 8 by 8"));
    // Over 256 threads have at most 128 registers each, which a micro tile of 8 by 8 needs: ptxas' choices were poor
    // (f32 4096^3 on an H200: 4164 us with 512 threads, 3439 with 256).
    return Require(config_.threads >= 64 && config_.threads <= 256, "threads", config_.threads, "between 64 and 256");
  }

  absl::Status CheckMma() const {
    const DType dtype = rules_.dtype_;
    const Arch& arch = rules_.limits_.arch;
    if (dtype != DType::kF16 && dtype != DType::kBf16) {
      return Refuse("config.schedule: mma is not for {} inputs", Name(dtype));
    }
    if (arch.capability() < 80) return Refuse("config.schedule: mma is not for {}", Name(arch));
    const auto legal_tile = [](int tile) { return tile >= 32 && tile <= 256 && IsPowerOfTwo(tile); };
    // A line of column-major A has eight chunks at least, to be free of bank conflicts.
    const bool low = config_.tile_m == 16 && RunsAlongK(rules_.graph_, true);
    GEMMD_RETURN_IF_ERROR(Require(low || legal_tile(config_.tile_m), "tile_m", config_.tile_m,
                                  "32, 64, 128 or 256, or 16 where A is row-major"));
    GEMMD_RETURN_IF_ERROR(Require(legal_tile(config_.tile_n), "tile_n", config_.tile_n, "32, 64, 128 or 256"));
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.tile_k, {32, 64}), "tile_k", config_.tile_k, "32 or 64"));
    GEMMD_RETURN_IF_ERROR(
        Require(OneOf(config_.micro_m, {16, 32, 64, 128}), "micro_m", config_.micro_m, "16, 32, 64 or 128"));
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.micro_n, {32, 64, 128}), "micro_n", config_.micro_n, "32, 64 or 128"));
    GEMMD_RETURN_IF_ERROR(Require(!rules_.gated_ || config_.micro_n >= 64, "micro_n", config_.micro_n,
                                  "64 or 128, of which a gate's halves have at least 32 columns each"));
    GEMMD_RETURN_IF_ERROR(Require(config_.micro_m <= config_.tile_m, "micro_m", config_.micro_m, "within tile_m"));
    GEMMD_RETURN_IF_ERROR(Require(config_.micro_n <= config_.tile_n, "micro_n", config_.micro_n, "within tile_n"));
    const int warp_tile = config_.micro_m * config_.micro_n;
    GEMMD_RETURN_IF_ERROR(Require(warp_tile <= 64 * 64, "micro_m", config_.micro_m,
                                  "a warp tile of at most 4096 elements: accumulators are registers"));
    // Beside the largest warp tiles ptxas has no registers for more: of those for sm_100a most spill, and elsewhere
    // some with a prologue, a gate or a chain that reaches seven tensors.
    const bool tight = arch.major == 10 || rules_.has_prologue_ || rules_.gated_ || rules_.chain_tensors_ > 6;
    GEMMD_RETURN_IF_ERROR(
        Require(!tight || warp_tile <= 64 * 32, "micro_m", config_.micro_m,
                "a warp tile of at most 2048 elements, for this arch, prologue, gate or number of tensors"));
    GEMMD_RETURN_IF_ERROR(
        Require(config_.stages >= 2 && config_.stages <= 6, "stages", config_.stages, "between 2 and 6"));
    const int warps = config_.tile_m / config_.micro_m * (config_.tile_n / config_.micro_n);
    GEMMD_RETURN_IF_ERROR(Require(config_.threads == warps * 32, "threads", config_.threads, "32 a warp tile"));
    GEMMD_RETURN_IF_ERROR(Require(warps <= 8, "threads", config_.threads, "at most 256"));
    // A thread's copies lie a multiple of 8 lines apart, 8 elements each: they share one bank permutation.
    const int line = std::max(SharedLine(rules_.graph_, config_, true), SharedLine(rules_.graph_, config_, false));
    return Require(config_.threads >= line, "threads", config_.threads,
                   "at least a line of the tiles in shared memory");
  }

  absl::Status CheckWgmma() const {
    const Graph& graph = rules_.graph_;
    const DeviceLimits& limits = rules_.limits_;
    const DType dtype = rules_.dtype_;
    const bool is_tf32 = graph.precision == Precision::kTf32 || graph.precision == Precision::kTf32x3;
    if (dtype != DType::kF16 && dtype != DType::kBf16 && !is_tf32) {
      return Refuse("config.schedule: wgmma is not for {} inputs{}", Name(dtype),
                    dtype == DType::kF32 ? " unless their precision is tf32 or tf32x3" : "");
    }
    if (limits.arch != Arch{9, 0, true}) {
      return Refuse("config.schedule: wgmma is for sm_90a, not for {}", Name(limits.arch));
    }
    // Registers a thread; tf32x3 has a block's sums beside the tile's, and a chain by rows needs some of them.
    const int beside_sums = config_.cell_n == kFragmentCell ? 96 : 64;
    const int most_accumulators = rules_.parts_ > 1 ? beside_sums : 128;
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.tile_m, {64, 128, 256}), "tile_m", config_.tile_m, "64, 128 or 256"));
    GEMMD_RETURN_IF_ERROR(
        Require(OneOf(config_.tile_n, {64, 128, 192, 256}), "tile_n", config_.tile_n, "64, 128, 192 or 256"));
    const std::int64_t line = kSwizzleBytes / SizeBytes(dtype);
    GEMMD_RETURN_IF_ERROR(Require(config_.tile_k == line, "tile_k", config_.tile_k, "{} for {}", line, Name(dtype)));
    const bool ping_pong = config_.micro_m == config_.tile_m;
    GEMMD_RETURN_IF_ERROR(Require(config_.micro_m % 64 == 0 && (ping_pong || config_.micro_m * 2 == config_.tile_m),
                                  "micro_m", config_.micro_m, "tile_m or half of it, in multiples of 64"));
    GEMMD_RETURN_IF_ERROR(Require(config_.micro_n == config_.tile_n, "micro_n", config_.micro_n, "tile_n"));
    GEMMD_RETURN_IF_ERROR(
        Require(config_.micro_m * config_.micro_n <= most_accumulators * 128, "micro_m", config_.micro_m,
                "a warpgroup tile of at most {} elements: accumulators are registers", most_accumulators * 128));
    // Two stages of A's fragments lie in registers while a prologue works on them.
    const bool prepares_a = !graph.prologue_a.empty() && !PacksA(config_.packing);
    GEMMD_RETURN_IF_ERROR(Require(!prepares_a || config_.micro_m == 64, "micro_m", config_.micro_m,
                                  "64, for registers, where A has a prologue"));
    const bool by_rows_after_prologue = prepares_a && config_.cell_n != kFragmentCell;
    GEMMD_RETURN_IF_ERROR(Require(!by_rows_after_prologue || config_.micro_n <= 192, "tile_n", config_.tile_n,
                                  "at most 192, for registers, where A has a prologue and the epilogue is long"));
    GEMMD_RETURN_IF_ERROR(
        Require(config_.stages >= 2 && config_.stages <= 8, "stages", config_.stages, "between 2 and 8"));
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.subtile_n, {32, 64}), "subtile_n", config_.subtile_n, "32 or 64"));
    // By rows of 8 a short chain would only be slower; of 4 it has registers that its fragments may not leave it.
    const bool by_rows = config_.rows == RowSchedule::kBarrier;
    if (by_rows) GEMMD_RETURN_IF_ERROR(CheckRowBarrier(config_, graph, limits.sm_count));
    const int widest = by_rows || rules_.on_fragments_ ? kFragmentCell : 8;
    GEMMD_RETURN_IF_ERROR(Require(config_.cell_n == widest || config_.cell_n == 4, "cell_n", config_.cell_n,
                                  "4, or 2 for a short chain and 8 for a long one"));
    if (rules_.gated_) {
      GEMMD_RETURN_IF_ERROR(CheckGateHalves("wgmma"));
      const int whole = CopiesColumns() ? 64 : config_.subtile_n;
      GEMMD_RETURN_IF_ERROR(
          Require(config_.tile_n / 2 % whole == 0, "tile_n", config_.tile_n,
                  "for a gate two halves of multiples of subtile_n columns, or of 64 where B is row-major"));
    }
    GEMMD_RETURN_IF_ERROR(Require(config_.threads == 384, "threads", config_.threads, "384"));
    return rules_.packings_[static_cast<std::size_t>(config_.packing)];
  }

  absl::Status CheckSkinny() const {
    const Graph& graph = rules_.graph_;
    if (rules_.dtype_ != DType::kF16 && rules_.dtype_ != DType::kBf16) {
      return Refuse("config.schedule: skinny is not for {} inputs", Name(rules_.dtype_));
    }
    if (rules_.limits_.arch != Arch{9, 0, true}) {
      return Refuse("config.schedule: skinny is for sm_90a, not for {}", Name(rules_.limits_.arch));
    }
    if (rules_.has_prologue_) {
      return Refuse(
          "config.schedule: skinny multiplies both factors straight from shared memory, after no "
          "prologue");
    }
    // Which holds both factors to what the copy engine can fetch.
    GEMMD_RETURN_IF_ERROR(rules_.packings_[static_cast<std::size_t>(Packing::kNone)]);
    // Lines of A across K are 64 long.
    const bool any_rows = RunsAlongK(graph, true);
    GEMMD_RETURN_IF_ERROR(Require(config_.tile_m == 64 || (any_rows && OneOf(config_.tile_m, {16, 32})), "tile_m",
                                  config_.tile_m, "64, or 16 or 32 where A is row-major"));
    GEMMD_RETURN_IF_ERROR(Require(OneOf(config_.tile_n, {64, 128, 256}), "tile_n", config_.tile_n, "64, 128 or 256"));
    GEMMD_RETURN_IF_ERROR(Require(config_.tile_k == 64, "tile_k", config_.tile_k, "64"));
    GEMMD_RETURN_IF_ERROR(Require(config_.micro_m == config_.tile_m, "micro_m", config_.micro_m, "tile_m"));
    GEMMD_RETURN_IF_ERROR(Require(config_.micro_n == config_.tile_n, "micro_n", config_.micro_n, "tile_n"));
    GEMMD_RETURN_IF_ERROR(
        Require(config_.stages >= 2 && config_.stages <= 20, "stages", config_.stages, "between 2 and 20"));
    GEMMD_RETURN_IF_ERROR(Require(config_.threads == 160, "threads", config_.threads, "160"));
    if (!rules_.gated_) return absl::OkStatus();
    GEMMD_RETURN_IF_ERROR(CheckGateHalves("skinny"));
    const int whole = CopiesColumns() ? 64 : 32;
    return Require(config_.tile_n / 2 % whole == 0, "tile_n", config_.tile_n,
                   "for a gate two halves of multiples of 32 columns, or of 64 where B is row-major");
  }

  // Whether the copy engine fetches B by boxes of 64 columns.
  bool CopiesColumns() const { return !RunsAlongK(rules_.graph_, false) && !OnlyAlongK(rules_.dtype_); }

  // The copy engine fetches row-major B from multiples of 16 bytes on.
  absl::Status CheckGateHalves(std::string_view schedule) const {
    constexpr int kCopiedElements = kAccessBytes / 2;
    if (!CopiesColumns() || rules_.graph_.n.value_or(1) % (2 * kCopiedElements) == 0) return absl::OkStatus();
    return Refuse("config.schedule: {} takes gates whose halves of row-major B are multiples of {} columns", schedule,
                  kCopiedElements);
  }

  const ConfigRules& rules_;
  const KernelConfig& config_;
  bool explains_;
};

ConfigRules::ConfigRules(const Graph& graph, const DeviceLimits& limits, const Assumptions& assumptions)
    : graph_(graph),
      limits_(limits),
      dtype_(graph.inputs[graph.a].dtype),
      parts_(PartsOf(graph)),
      gated_(graph.IsGated()),
      has_prologue_(HasPrologue(graph)),
      copies_async_(CopiesAsync(graph, assumptions)),
      on_fragments_(ChainOnFragments(graph)),
      chain_tensors_(ChainTensors(graph)) {
  for (const Packing packing : {Packing::kNone, Packing::kA, Packing::kB, Packing::kBoth}) {
    packings_[static_cast<std::size_t>(packing)] = CheckPacking(packing, graph, assumptions);
  }
}

absl::Status ConfigRules::Check(const KernelConfig& config) const {
  return ConfigInquiry(*this, config, true).Answer();
}

bool ConfigRules::Allows(const KernelConfig& config) const { return ConfigInquiry(*this, config, false).Answer().ok(); }

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

absl::Status CheckConfig(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits,
                         const Assumptions& assumptions) {
  return ConfigRules(graph, limits, assumptions).Check(config);
}

}  // namespace gemmd
