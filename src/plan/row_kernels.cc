#include "plan/row_kernels.h"

#include <algorithm>
#include <limits>

#include "base/status.h"
#include "plan/config_rules.h"
#include "plan/cost_model.h"
#include "plan/packing.h"

namespace gemmd {
namespace {

constexpr int kBarrierRows = 128;           // of a tile: as many as a warpgroup has threads
constexpr std::int64_t kPartBytes = 2 * 4;  // of the largest Part (kernels_src/numeric/statistics.cuh)

std::int64_t ReductionsOf(const Graph& graph) {
  return std::ranges::count_if(graph.epilogue, [](const Node& node) { return IsRowWise(node.kind); });
}

// How many nodes of the epilogue stay with the product: up to a gate.
std::size_t NodesBeforeRows(const Graph& graph) {
  const auto is_gate = [](const Node& node) { return Traits(node.kind).op_class == OpClass::kGate; };
  const auto gate = std::ranges::find_if(graph.epilogue, is_gate);
  return gate == graph.epilogue.end() ? 0 : static_cast<std::size_t>(gate - graph.epilogue.begin()) + 1;
}

// The outputs that the product stores: those of its nodes, which come first.
std::size_t OutputsBeforeRows(const Graph& graph) {
  const auto end = graph.epilogue.begin() + static_cast<std::ptrdiff_t>(NodesBeforeRows(graph));
  return static_cast<std::size_t>(
      std::count_if(graph.epilogue.begin(), end, [](const Node& node) { return node.output >= 0; }));
}

}  // namespace

std::string_view Name(RowSchedule rows) {
  switch (rows) {
    case RowSchedule::kNone:
      return "none";
    case RowSchedule::kTwoKernels:
      return "two_kernel";
    case RowSchedule::kBarrier:
      return "row_barrier";
  }
  return "";
}

bool ReducesRows(const Graph& graph) {
  return std::ranges::any_of(graph.epilogue, [](const Node& node) { return IsRowWise(node.kind); });
}

Axes RowAxes(const Graph& graph) { return {Axis::kM, graph.IsGated() ? Axis::kHalfN : Axis::kN}; }

Graph ProductBeforeRows(const Graph& graph) {
  Graph product = graph;
  product.epilogue.resize(NodesBeforeRows(graph));
  product.outputs.resize(OutputsBeforeRows(graph));
  product.epilogue.push_back({.kind = OpKind::kStore,
                              .input = static_cast<int>(product.epilogue.size()),
                              .dtype = DType::kF32,
                              .output = static_cast<int>(product.outputs.size())});
  product.outputs.push_back({DType::kF32, RowAxes(graph)});
  return product;
}

Assumptions ProductBeforeRows(const Graph& graph, const Assumptions& assumptions) {
  Assumptions product = Completed(graph, assumptions);
  product.outputs.resize(OutputsBeforeRows(graph));
  product.outputs.push_back(kAccessBytes);
  return product;
}

Graph RowsOf(const Graph& graph) {
  Graph rows = graph;
  rows.a = static_cast<int>(graph.inputs.size());
  rows.b = -1;
  rows.inputs.push_back({.dtype = DType::kF32, .layout = Layout::kRowMajor, .axes = RowAxes(graph)});
  rows.prologue_a.clear();
  rows.prologue_b.clear();
  if (const auto gated = SplitAtGate(graph.epilogue)) rows.epilogue = gated->after;
  return rows;
}

Assumptions RowsOf(const Graph& graph, const Assumptions& assumptions) {
  Assumptions rows = Completed(graph, assumptions);
  rows.inputs.push_back(kAccessBytes);
  return rows;
}

KernelPlan RowKernel(const Graph& graph, const Assumptions& assumptions) {
  constexpr int kThreads = 256, kWarpThreads = 32, kStepElements = 8;
  KernelPlan kernel;
  kernel.config.family = Family::kRows;
  kernel.config.rows = RowSchedule::kTwoKernels;
  kernel.config.threads = kThreads;
  // A warp has enough of a row that it can walk over in four steps.
  const std::int64_t columns = graph.ExtentOf(RowAxes(graph)[1]).value_or(kThreads * kStepElements);
  kernel.config.micro_n = columns <= 4 * kWarpThreads * kStepElements ? kWarpThreads : kThreads;
  kernel.config.tile_m = kThreads / kernel.config.micro_n;
  kernel.config.tile_n = std::numeric_limits<int>::max();  // whole rows
  // Eight registers a step, beside a chain.
  constexpr std::int64_t kMostHeldSteps = 8;
  const std::int64_t step_elements = std::int64_t{kernel.config.micro_n} * kStepElements;
  const std::int64_t steps = (graph.ExtentOf(RowAxes(graph)[1]).value_or(0) + step_elements - 1) / step_elements;
  kernel.config.stages = steps <= kMostHeldSteps ? static_cast<int>(steps) : 0;
  kernel.widths = WidthsOf(RowsOf(graph), RowsOf(graph, assumptions));
  return kernel;
}

bool StreamsB(const Graph& graph) {
  // Measured on an H200 (60 MB of L2), bf16: a B of 33 MB takes 1.13 of the bare product, one of 117 MB 1.57.
  constexpr std::int64_t kKeptBytes = 40 << 20;
  const std::int64_t k = graph.k.value_or(kNominalExtent), n = graph.n.value_or(kNominalExtent);
  return k * n > kKeptBytes / SizeBytes(graph.inputs[graph.b].dtype);
}

std::int64_t TilesAcross(const Graph& graph, const KernelConfig& config) {
  return (graph.n.value_or(0) + config.tile_n - 1) / config.tile_n;
}

int RowBarrierCtas(const Graph& graph, const KernelConfig& config) {
  constexpr std::int64_t kWarpgroups = 2;  // of a CTA, each with a tile that waits for the others of its row block
  return static_cast<int>((TilesAcross(graph, config) + kWarpgroups - 1) / kWarpgroups);
}

absl::Status CheckRowBarrier(const KernelConfig& config, const Graph& graph, int sm_count) {
  const auto refuse = [](std::string_view what) { return InvalidArgument("config.rows: row_barrier is {}", what); };
  if (config.family != Family::kWgmma) return refuse("wgmma's alone");
  if (!ReducesRows(graph)) return refuse("for row reductions");
  if (graph.IsGated()) return refuse("not for a gate");
  if (graph.precision == Precision::kTf32x3) return refuse("not for tf32x3, whose sums take the registers");
  if (!graph.n.has_value() || *graph.n == 0) return refuse("for an N that is known, and not 0");
  const bool fits = config.tile_n == 128 || config.tile_n == 64;
  if (config.tile_m != kBarrierRows || config.micro_m != kBarrierRows || !fits) {
    return refuse("for tiles of 128 by 128 or 64, one to a warpgroup");
  }
  if (config.group_m != 1) return refuse("for tiles that are taken row block by row block");
  if (config.cell_n != kFragmentCell) return refuse("for chains on fragments");
  if (RowBarrierCtas(graph, config) > sm_count) {
    return refuse("for rows whose tiles are resident together");
  }
  return absl::OkStatus();
}

Workspace RowWorkspace(const Graph& graph, const KernelConfig& config) {
  constexpr std::int64_t kCounterBytes = 4;
  if (TilesAcross(graph, config) == 1) return {};
  return {config.tile_m, ReductionsOf(graph) * kCounterBytes,
          ReductionsOf(graph) * TilesAcross(graph, config) * config.tile_m * kPartBytes};
}

std::vector<KernelConfig> RowBarrierConfigs(const Graph& graph, const DeviceLimits& limits,
                                            const Assumptions& assumptions) {
  if (!ReducesRows(graph)) return {};
  const ConfigRules rules(graph, limits, assumptions);
  std::vector<KernelConfig> configs;
  KernelConfig config;
  config.family = Family::kWgmma;
  config.rows = RowSchedule::kBarrier;
  config.tile_m = config.micro_m = kBarrierRows;
  config.tile_k = kSwizzleBytes / static_cast<int>(SizeBytes(graph.inputs[graph.a].dtype));
  config.group_m = 1;
  config.subtile_n = 64;
  config.cell_n = kFragmentCell;
  config.threads = 384;
  for (const int tile_n : {128, 64}) {
    config.tile_n = config.micro_n = tile_n;
    for (const int stages : {5, 4, 3}) {
      config.stages = stages;
      config.shared_bytes = SharedBytes(config, graph);
      for (const Packing packing : {Packing::kNone, Packing::kA, Packing::kB, Packing::kBoth}) {
        config.packing = packing;
        if (!rules.Allows(config)) continue;
        configs.push_back(config);
        break;
      }
    }
  }
  return configs;
}

Graph ProductOf(const Graph& graph, RowSchedule rows) {
  return rows == RowSchedule::kTwoKernels ? ProductBeforeRows(graph) : graph;
}

Assumptions ProductOf(const Graph& graph, RowSchedule rows, const Assumptions& assumptions) {
  return rows == RowSchedule::kTwoKernels ? ProductBeforeRows(graph, assumptions) : assumptions;
}

}  // namespace gemmd
