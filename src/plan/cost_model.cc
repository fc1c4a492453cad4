#include "plan/cost_model.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "plan/packing.h"
#include "plan/split_k.h"

namespace gemmd {
namespace {

// Of one SM. Rough, and the same for every arch: only the order of candidates matters.
constexpr double kMmaMultiplyAddsPerCycle = 1024;    // mma.sync on 16-bit elements
constexpr double kWgmmaMultiplyAddsPerCycle = 1900;  // wgmma on 16-bit elements, as reached
constexpr double kFfmaMultiplyAddsPerCycle = 128;
constexpr double kSharedBytesPerCycle = 128;
constexpr double kL2BytesPerCycle = 32;  // when every SM reads
constexpr double kMemoryLatencyCycles = 800;
// Where every SM waits for memory. Measured on an H200, bf16 1 x 4096 x 4096 by 16x64 tiles: with 40 KB in flight on an
// SM 19.4 us, with 80 and 100 KB 16.1.
constexpr double kLoadedLatencyCycles = 3500;
constexpr double kBarrierCycles = 60;                // of one turn of the main loop
constexpr double kLaunchCycles = 1500;               // a CTA's start and end
constexpr double kKernelCycles = 5000;               // of one more kernel: its launch and its first accesses
constexpr std::int64_t kReservedSharedBytes = 1024;  // by the driver, for each CTA

std::int64_t CeilDiv(std::int64_t x, std::int64_t y) { return (x + y - 1) / y; }

int RegistersPerThread(const KernelConfig& config) {
  int registers = config.micro_m * config.micro_n;
  switch (config.family) {
    case Family::kSimt:
      if (config.stages > kRegisterStages) {  // four K steps of the micro tile's rows, of a group of its columns
        registers += 4 * config.micro_m + 16 + 56;
      } else {  // a row and a column of the micro tile, the next K block, addresses
        registers +=
            config.micro_m + config.micro_n + (config.tile_m + config.tile_n) * config.tile_k / config.threads + 24;
      }
      break;
    case Family::kMma:  // a warp's tile over its lanes, two sets of fragments, addresses
      registers = registers / 32 + (config.micro_m + config.micro_n) / 2 + 40;
      break;
    case Family::kWgmma:  // what the kernel starts with; its warpgroups share them out anew
      return 168;
    case Family::kSkinny:  // the sums, a chain on four columns, addresses
      registers = registers / 128 + 64;
      break;
    case Family::kPointwise:
    case Family::kRows:
      return 64;
  }
  return static_cast<int>(CeilDiv(std::min(registers, 255), 8) * 8);
}

int ThreadsPerSm(const Arch& arch) {
  const bool small_sm = arch.capability() == 86 || arch.capability() == 89 || arch.major == 12;
  return small_sm ? 1536 : 2048;
}

// How long one CTA keeps each unit of its SM busy for one step of K. The units overlap, but not perfectly; few warps
// leave those inside the SM idle.
struct StepCycles {
  double multiply = 0, shared = 0, l2 = 0;
  double Total(double utilisation) const {
    constexpr double kExposed = 0.15;
    const double inside = std::max(multiply, shared) / utilisation, longest = std::max(inside, l2);
    return longest + kExposed * ((multiply + shared) / utilisation + l2 - longest);
  }
};

StepCycles MmaStep(const KernelConfig& config) {
  constexpr double kElementBytes = 2;
  const double warps = config.threads / 32.0, edges = config.tile_m + config.tile_n;
  const double read = warps * (config.micro_m + config.micro_n) * kElementBytes;
  return {.multiply = config.tile_m * config.tile_n / kMmaMultiplyAddsPerCycle,
          .shared = (read + edges * kElementBytes) / kSharedBytesPerCycle,
          .l2 = edges * kElementBytes / kL2BytesPerCycle};
}

// A thread's 16-byte shared loads are half broadcasts: two cycles for each warp's. They take issue slots from the
// FFMAs.
StepCycles SimtStep(const KernelConfig& config, double element_bytes) {
  // A K step is one slice's.
  const double warps = config.threads / 32.0 / config.slices_k, edges = config.tile_m + config.tile_n;
  const double loads = warps * (config.micro_m + config.micro_n) / 4;
  const double issue = loads / 2;  // four schedulers, and who waits for a load can't multiply
  return {.multiply = config.tile_m * config.tile_n / kFfmaMultiplyAddsPerCycle + issue,
          .shared = loads * 2 + edges * 4 / kSharedBytesPerCycle,
          .l2 = edges * element_bytes / kL2BytesPerCycle};
}

constexpr double kChainWeightCycles = 0.06;  // of one element, for one of a chain's weight

constexpr double kOperationCycles = 0.12;  // of a chain, for one element

// What the chains on A and B take of one step of K. The multiplies of the next block wait for them.
double PrologueCycles(const KernelConfig& config, const Graph& graph) {
  constexpr double kConversionCycles = 0.08;  // out of shared memory or registers, to f32 and back
  const auto cycles = [](const std::vector<Node>& chain, int elements) {
    return chain.empty() ? 0.0 : elements * (kConversionCycles + kOperationCycles * static_cast<double>(chain.size()));
  };
  return cycles(graph.prologue_a, config.tile_m) + cycles(graph.prologue_b, config.tile_n);
}

// What a matrix's lines cost that are accessed by less than 16 bytes at a time; little where a whole warp's leave
// together, as wgmma's do.
double NarrowShare(const Graph& graph, DType dtype, const Axes& axes) {
  const std::int64_t line = graph.ExtentOf(axes.back()).value_or(kNominalExtent) * SizeBytes(dtype);
  const int width = AlignmentOf(0, line);
  return width >= 16 ? 1 : width == 8 ? 1.2 : width == 4 ? 2 : 3;
}

double EpilogueBytes(const Graph& graph, bool by_threads) {
  double bytes = 0;
  std::set<int> matrices;
  for (const Node& node : graph.epilogue) {
    for (const Reference& reference : node.References()) {
      if (reference.input >= 0 && reference.broadcast == Broadcast::kFull) matrices.insert(reference.input);
    }
  }
  const auto add = [&](DType dtype, const Axes& axes) {
    if (axes.size() < 2) return;  // little beside a matrix
    const double share = by_threads ? NarrowShare(graph, dtype, axes) : 1;
    bytes += share * static_cast<double>(SizeBytes(dtype)) / (axes[1] == Axis::kHalfN ? 2 : 1);
  };
  for (const int matrix : matrices) add(graph.inputs[matrix].dtype, graph.inputs[matrix].axes);
  for (const GraphOutput& output : graph.outputs) add(output.dtype, output.axes);
  return bytes;
}

struct FactorLine {
  Axis along;
  std::int64_t bytes;
};

// Of a whole factor.
FactorLine LineOf(const Graph& graph, bool is_a) {
  const GraphInput& input = graph.inputs[is_a ? graph.a : graph.b];
  const Axis along = input.axes[input.layout == Layout::kRowMajor ? 1 : 0];
  return {along, graph.ExtentOf(along).value_or(kNominalExtent) * SizeBytes(input.dtype)};
}

// What a thread may access at once of a factor, in bytes, where its lines are as long as they are.
double AccessBytes(const Graph& graph, bool is_a) {
  const FactorLine line = LineOf(graph, is_a);
  const bool in_halves = !is_a && graph.IsGated() && line.along == Axis::kN;
  return AlignmentOf(in_halves ? line.bytes / 2 : 0, line.bytes);
}

// The constants of wgmma's epilogue and turns are fitted to an H200: bf16 with a store alone, 128x256 cooperative and
// 128x128 ping-pong, 2048^3 in 27.6 and 28.1 us, 4096^3 in 184.4 and 187.6; 8192 x 4096 x 14336 with a bias and gelu
// 1.21 and 1.10 of the bare product.

// What a tile leaves of the multipliers: the shorter its sides, the more often its factors are moved, and narrow ones
// are read from shared memory too often.
double WgmmaRate(const KernelConfig& config) {
  constexpr double kMoving = 5;  // against the sides of 128x256
  const double sides = 1.0 / config.tile_m + 1.0 / config.tile_n;
  const double narrow = config.tile_n >= 128 ? 1 : 0.68;
  return narrow / (1 + kMoving * std::max(0.0, sides - 3.0 / 256));
}

// Of one element of the result.
double WgmmaChainCycles(const KernelConfig& config, double weight) {
  const double staging = config.cell_n == kFragmentCell ? 0 : config.cell_n == 8 ? 0.08 : 0.16;
  return staging + kChainWeightCycles * weight;
}

// What a prologue of A in registers adds to the main loop. Measured on an H200, bf16 8192 x 4096 x 4096 by 128x256
// after three operations: 1.18 of the bare product, and 1.21 where two warpgroups take turns to prepare; packed, 1.16.
double PrologueShare(const KernelConfig& config, const Graph& graph) {
  return PacksA(config.packing) ? 0 : 0.06 * static_cast<double>(graph.prologue_a.size());
}

// How much longer the copy engine takes for a factor whose lines don't start on 128 bytes: what it fetches at once is
// parts of two of L2's lines. Measured on an H200: f16 14775 x 13464 x 552 by 64x192 and 128x192, 27 and 25 bytes a
// cycle and SM; of aligned lines it is 80 and more.
double LineShare(const Graph& graph, bool is_a) {
  constexpr std::int64_t kL2LineBytes = 128;
  return LineOf(graph, is_a).bytes % kL2LineBytes == 0 ? 1 : 3;
}

// Persistent CTAs, one an SM: each takes tiles one after the other. In ping-pong a tile's epilogue hides behind the
// next tile's main loop, of which it may take twice as long before it shows.
double WgmmaCycles(const KernelConfig& config, const Graph& graph, double bytes, double weight, int sm_count,
                   bool from_memory, const LineShares& shares) {
  const std::int64_t m = graph.m.value_or(kNominalExtent), n = graph.n.value_or(kNominalExtent);
  const std::int64_t tiles = std::max<std::int64_t>(1, CeilDiv(m, config.tile_m) * CeilDiv(n, config.tile_n));
  const double elements = static_cast<double>(config.tile_m) * config.tile_n;
  const double blocks = static_cast<double>(CeilDiv(graph.k.value_or(kNominalExtent), config.tile_k));
  const auto element_bytes = static_cast<double>(PartsOf(graph) * SizeBytes(graph.inputs[graph.a].dtype));
  constexpr double kOfFloats = 1.0 / 2, kOfThreeProducts = 1.0 / 7;  // the blocks' sums included
  const double share = graph.inputs[graph.a].dtype != DType::kF32 ? 1
                       : PartsOf(graph) > 1                       ? kOfThreeProducts
                                                                  : kOfFloats;
  const double rate = kWgmmaMultiplyAddsPerCycle * share;
  const double multiply = elements * config.tile_k / (rate * WgmmaRate(config));
  constexpr double kL2ReadBytesPerCycle = 80;                               // bulk copies
  const double latency = (from_memory ? 3000.0 : 1800.0) * PartsOf(graph);  // of a stage, until it may be filled again
  const double sides =
      config.tile_m * (PacksA(config.packing) ? 1 : shares.a) + config.tile_n * (PacksB(config.packing) ? 1 : shares.b);
  const double copy = sides * config.tile_k * element_bytes / kL2ReadBytesPerCycle;
  const double loop =
      blocks * std::max({multiply, copy, latency / (config.stages - 1)}) * (1 + PrologueShare(config, graph));
  const double epilogue = elements * (bytes / kL2BytesPerCycle + WgmmaChainCycles(config, weight));
  const auto turns = static_cast<double>(CeilDiv(tiles, sm_count));
  const bool ping_pong = config.micro_m == config.tile_m;
  constexpr double kHandoverCycles = 1300;  // from one warpgroup to the other
  const double turn = ping_pong ? std::max(loop, (loop + epilogue) / 2) + kHandoverCycles : loop + epilogue;
  return kLaunchCycles + kMemoryLatencyCycles + turns * turn + (ping_pong ? epilogue : 0);
}

// Packing streams a factor through memory: as measured on an H200, bf16 4096 x 4095 in 25 us, at 1.7 GHz.
double PackingCycles(const KernelConfig& config, const Graph& graph, int sm_count) {
  if (config.packing == Packing::kNone) return 0;
  constexpr double kBytesPerSmCycle = 12;
  double bytes = 0;
  double kernels = 0;
  for (const PackedTensor& tensor : PackedTensors(graph, config.packing)) {
    const auto extent = [&](Axis axis) { return static_cast<double>(graph.ExtentOf(axis).value_or(kNominalExtent)); };
    bytes += 2 * extent(tensor.axes[0]) * extent(tensor.axes[1]) * static_cast<double>(SizeBytes(tensor.dtype));
    ++kernels;
  }
  return kernels * kKernelCycles + bytes / (kBytesPerSmCycle * sm_count);
}

// Of the factors, each once.
double MemoryBytes(const Graph& graph) {
  const auto bytes = [&](int input) {
    double product = static_cast<double>(SizeBytes(graph.inputs[input].dtype));
    for (const Axis axis : graph.inputs[input].axes) {
      product *= static_cast<double>(graph.ExtentOf(axis).value_or(kNominalExtent));
    }
    return product;
  };
  return bytes(graph.a) + (graph.b == graph.a ? 0 : bytes(graph.b));
}

// What takes `cycles` with its factors in L2 has to wait for memory too.
double MemoryBound(double cycles, double bytes, bool bulk) {
  // Measured on an H200, whose L2 was full of others' writes: a read of 117 MB in 31 us, of 32 MB in 10.4 us.
  // By bulk copies a tenth longer.
  const double bytes_per_cycle = bulk ? 1800 : 2000;
  constexpr double kExposed = 0.15;
  const double memory = kLaunchCycles + kMemoryLatencyCycles + bytes / bytes_per_cycle;
  return std::max(cycles, memory) + kExposed * std::min(cycles, memory);
}

// CTAs of few rows, wave by wave: what takes the time is B on its way. The constants are fitted to an H200: 18 products
// of 1 to 256 rows, each by 25 to 80 configs.
double SkinnyCycles(const KernelConfig& config, const Graph& graph, double weight, const DeviceLimits& limits) {
  constexpr double kBytesPerCycle = 2560;       // of the device's memory, where B leaves L2 first
  constexpr double kAgain = 1.67;               // where another tile has the same columns of B
  constexpr double kStageLatencyCycles = 4200;  // until a stage may be filled again
  constexpr double kThinRows = 32;              // fewer are multiplied no faster
  constexpr double kExposed = 0.15, kWaveCycles = 1200, kClusterCycles = 1200, kClustersCycles = 6000;
  constexpr double kPushCycles = 0.09;  // of one element of the tile
  const std::int64_t m = graph.m.value_or(kNominalExtent), n = graph.n.value_or(kNominalExtent);
  const std::int64_t rows = std::max<std::int64_t>(1, CeilDiv(m, config.tile_m));
  const std::int64_t ctas = rows * std::max<std::int64_t>(1, CeilDiv(n, config.tile_n)) * config.split_k();
  const auto blocks =
      static_cast<double>(CeilDiv(CeilDiv(graph.k.value_or(kNominalExtent), config.tile_k), config.split_k()));
  const std::int64_t resident = CtasPerSm(config, limits), sms = ClusterSms(config.cluster_k, limits);
  const double elements = static_cast<double>(config.tile_m) * config.tile_n;
  const double bytes = static_cast<double>(config.tile_n) * kSwizzleBytes * blocks * (rows > 1 ? kAgain : 1);
  const auto wave_cycles = [&](std::int64_t count, std::int64_t on_sm) {
    const double memory = static_cast<double>(count) * bytes / static_cast<double>(rows) / kBytesPerCycle;
    const double latency = blocks * kStageLatencyCycles / config.stages;
    const double multiply = static_cast<double>(on_sm) * blocks * config.tile_n *
                            std::max<double>(config.tile_m, kThinRows) * config.tile_k / kWgmmaMultiplyAddsPerCycle;
    const double chain = static_cast<double>(on_sm) * elements * kChainWeightCycles * weight / config.cluster_k;
    const double longest = std::max({memory, latency, multiply});
    const double second = memory + latency + multiply - longest - std::min({memory, latency, multiply});
    return longest + kExposed * second + chain + kWaveCycles;
  };
  const std::int64_t wave = sms * resident, full_waves = ctas / wave, rest = ctas % wave;
  double cycles = static_cast<double>(full_waves) * wave_cycles(wave, resident);
  if (rest > 0) cycles += wave_cycles(rest, CeilDiv(rest, sms));
  if (config.cluster_k > 1) cycles += kClusterCycles + kPushCycles * elements * static_cast<double>(resident);
  if (config.clusters_k > 1) {  // the last one to come adds up what all have left
    const double part_bytes = elements * 4 / config.cluster_k;
    cycles += kClustersCycles + (1 + config.clusters_k) * part_bytes / kL2BytesPerCycle;
  }
  return cycles;
}

class Estimate {
 public:
  Estimate(const KernelConfig& config, const Graph& graph, double epilogue_bytes, double epilogue_weight,
           bool from_memory, const AccessBytesOf& access)
      : config_(config),
        access_(access),
        epilogue_weight_(epilogue_weight),
        latency_cycles_(from_memory ? kLoadedLatencyCycles : kMemoryLatencyCycles),
        element_bytes_(static_cast<double>(SizeBytes(graph.inputs[graph.a].dtype))),
        blocks_(
            static_cast<double>(CeilDiv(CeilDiv(graph.k.value_or(kNominalExtent), config.tile_k), config.split_k()))),
        prologue_cycles_(PrologueCycles(config, graph)),
        epilogue_bytes_(epilogue_bytes) {}

  // The time of `resident` CTAs that share one SM from start to end.
  double Cycles(double resident) const {
    const StepCycles step = config_.family == Family::kSimt ? SimtStep(config_, element_bytes_) : MmaStep(config_);
    const double warps = resident * config_.threads / 32.0;
    const double step_cycles =
        std::max(step.Total(Utilisation(warps)) * Scheduling() + prologue_cycles_, NarrowCycles(resident) / resident);
    const double block_cycles = resident * step_cycles * config_.tile_k + kBarrierCycles;
    // simt may hold its next block in registers, the others their next stages in shared memory.
    const bool in_registers = config_.family == Family::kSimt && config_.stages <= kRegisterStages;
    const double blocks_in_flight = in_registers ? 1 : config_.stages - 1;
    const double single_buffer = config_.family == Family::kSimt && config_.stages == 1 ? kBarrierCycles : 0;
    const double latency_cycles = latency_cycles_ / blocks_in_flight;
    const double elements = resident * config_.tile_m * config_.tile_n;
    const double store_cycles = elements * epilogue_bytes_ / kL2BytesPerCycle / config_.cluster_k;
    const double chain_cycles = elements * kChainWeightCycles * epilogue_weight_;
    const double epilogue_cycles = (store_cycles + chain_cycles) / Utilisation(warps);
    return kLaunchCycles + kMemoryLatencyCycles + epilogue_cycles + SplitCycles(elements * 4) +
           blocks_ * std::max(block_cycles + single_buffer, latency_cycles);
  }

 private:
  // What one step of K takes to be fetched by less than 16 bytes at a time. Measured on an H200, mma: bf16 8063 x 4546
  // x 24 by 128x32, four bytes at a time: with two warps on an SM each takes 200 cycles for an access, with 23 the
  // SM 21.
  double NarrowCycles(double resident) const {
    constexpr double kWhole = 16;
    // Those of two bytes go through registers, several at a time.
    const auto of_sm = [](double bytes) { return bytes > 2 ? 21.0 : 12.0; };
    const auto of_warp = [](double bytes) { return bytes > 2 ? 200.0 : 60.0; };
    const auto cycles = [&](int lines, double bytes) {
      if (bytes >= kWhole) return 0.0;
      return lines * element_bytes_ / bytes * std::max(resident / 32 * of_sm(bytes), of_warp(bytes) / config_.threads);
    };
    return cycles(config_.tile_m, access_.a) + cycles(config_.tile_n, access_.b);
  }

  // The share of its peak that a unit reaches with that many warps on the SM.
  double Utilisation(double warps) const {
    const double half = config_.family == Family::kSimt ? 2.0 : 1.0;
    return warps / (warps + half);
  }

  // What adding the shares takes; `bytes`: of the shares of one SM's CTAs.
  double SplitCycles(double bytes) const {
    if (config_.split_k() * config_.slices_k == 1) return 0;
    constexpr double kClusterCycles = 1200;    // two barriers
    constexpr double kWorkspaceCycles = 4000;  // zeroed counters before the launch; an atomic; a last round trip
    double cycles = bytes * (config_.slices_k == 1 ? 1 : 2 * config_.slices_k) / kSharedBytesPerCycle;
    if (config_.cluster_k > 1) cycles += kClusterCycles + bytes / kL2BytesPerCycle;
    if (config_.clusters_k > 1) {
      const double part = bytes / config_.cluster_k;
      cycles += kWorkspaceCycles + (part + config_.clusters_k * part) / kL2BytesPerCycle;
    }
    return cycles;
  }

  // How well ptxas orders the main loop. Measured on an H200, simt 128x128 by 8x8, f32 8192^3: 25.2 ms with one stage
  // through registers and 34.0 ms with two; 23.8 ms by asynchronous copies.
  double Scheduling() const {
    if (config_.family != Family::kSimt) return 1;
    const bool large = config_.micro_m * config_.micro_n == 64;
    if (config_.stages > kRegisterStages) {
      return (config_.slices_k == 1 ? 1 : 1.04) * (large ? 1 : 1.05) * InstructionCache();
    }
    // Of large micro tiles an SM holds half as many CTAs as their registers are counted here.
    if (large) return config_.stages == 2 ? 1.58 : 1.18;
    return 1.06;
  }

  // Several CTAs with a long main loop want different parts of it at a time. Measured on an H200, f32 8192^3 by 128x64:
  // 16 K steps of 64 FFMAs in 23.6 ms, 32 of them in 26.3.
  double InstructionCache() const {
    constexpr int kMultiplies = 1024, kThreads = 256;
    const int multiplies = config_.micro_m * config_.micro_n * config_.tile_k / config_.slices_k;
    return multiplies > kMultiplies && config_.threads < kThreads ? 1.1 : 1;
  }

  const KernelConfig& config_;
  const AccessBytesOf& access_;
  double epilogue_weight_;
  double latency_cycles_;
  double element_bytes_;
  double blocks_;
  double prologue_cycles_;
  double epilogue_bytes_;
};

}  // namespace

int ResidentCtas(std::int64_t shared_bytes, int registers, int threads, const DeviceLimits& limits) {
  const std::int64_t by_shared = limits.shared_bytes_per_sm / (shared_bytes + kReservedSharedBytes);
  const std::int64_t by_registers = limits.registers_per_sm / (std::int64_t{std::max(registers, 1)} * threads);
  const std::int64_t by_threads = ThreadsPerSm(limits.arch) / threads;
  return static_cast<int>(std::min({by_shared, by_registers, by_threads}));
}

int CtasPerSm(const KernelConfig& config, const DeviceLimits& limits) {
  return std::max(1, ResidentCtas(config.shared_bytes, RegistersPerThread(config), config.threads, limits));
}

CostModel::CostModel(const Graph& graph, const DeviceLimits& limits)
    : graph_(graph),
      limits_(limits),
      epilogue_bytes_(EpilogueBytes(graph, false)),
      thread_bytes_(EpilogueBytes(graph, true)),
      memory_bytes_(MemoryBytes(graph)),
      from_memory_(WaitsForMemory(graph)),
      line_shares_{LineShare(graph, true), LineShare(graph, false)},
      access_bytes_{AccessBytes(graph, true), AccessBytes(graph, false)} {
  for (const Node& node : graph.epilogue) epilogue_weight_ += Weight(node.kind);
}

double CostModel::Cycles(const KernelConfig& config) const {
  if (config.family == Family::kWgmma) {
    return PackingCycles(config, graph_, limits_.sm_count) +
           MemoryBound(WgmmaCycles(config, graph_, epilogue_bytes_, epilogue_weight_, limits_.sm_count, from_memory_,
                                   line_shares_),
                       memory_bytes_, true);
  }
  if (config.family == Family::kSkinny) return SkinnyCycles(config, graph_, epilogue_weight_, limits_);
  const std::int64_t m = graph_.m.value_or(kNominalExtent), n = graph_.n.value_or(kNominalExtent);
  const std::int64_t tiles =
      std::max<std::int64_t>(1, CeilDiv(m, config.tile_m) * CeilDiv(n, config.tile_n)) * config.split_k();
  const int ctas_per_sm = CtasPerSm(config, limits_);
  const std::int64_t sms = ClusterSms(config.cluster_k, limits_), wave = sms * ctas_per_sm;
  const std::int64_t full_waves = tiles / wave, rest = tiles % wave;
  const Estimate estimate(config, graph_, thread_bytes_, epilogue_weight_, from_memory_, access_bytes_);
  double cycles = static_cast<double>(full_waves) * estimate.Cycles(ctas_per_sm);
  if (rest > 0) cycles += estimate.Cycles(static_cast<double>(CeilDiv(rest, sms)));
  // Nobody works while a CTA's one warp waits.
  constexpr int kWarpThreads = 32;
  constexpr double kAlone = 1.02;
  return MemoryBound(cycles, memory_bytes_, false) * (config.threads == kWarpThreads ? kAlone : 1);
}

bool WaitsForMemory(const Graph& graph) {
  constexpr double kProductsPerByte = 100;
  const double products = static_cast<double>(graph.m.value_or(kNominalExtent)) *
                          static_cast<double>(graph.n.value_or(kNominalExtent)) *
                          static_cast<double>(graph.k.value_or(kNominalExtent));
  return products < kProductsPerByte * MemoryBytes(graph);
}

std::int64_t ClusterSms(int cluster, const DeviceLimits& limits) {
  return cluster > 2 ? limits.sm_count * 10 / 11 : limits.sm_count;
}

double RowPassCycles(const Graph& graph, const DeviceLimits& limits) {
  // Measured on an H200: two_kernel's second kernel, f32 in and bf16 out, 4.1 TB/s at 1.7 GHz.
  constexpr double kBytesPerSmCycle = 18, kLeftBytes = 4, kStoredBytes = 2;
  const double elements =
      static_cast<double>(graph.m.value_or(kNominalExtent)) * static_cast<double>(graph.n.value_or(kNominalExtent));
  return kKernelCycles + elements * (kLeftBytes + kStoredBytes) / (kBytesPerSmCycle * limits.sm_count);
}

double EstimateCycles(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits) {
  return CostModel(graph, limits).Cycles(config);
}

}  // namespace gemmd
