#include "codegen/generate.h"

#include <fmt/ranges.h>

#include <map>
#include <vector>

#include "base/status.h"
#include "codegen/chain_text.h"
#include "codegen/row_text.h"
#include "codegen/template.h"
#include "kernels_src/embedded.h"
#include "plan/manifest.h"
#include "plan/packing.h"
#include "plan/row_kernels.h"

namespace gemmd {
namespace {

std::string Lines(const std::vector<std::string>& lines, int indent) {
  std::string text;
  for (const std::string& line : lines) {
    if (!text.empty()) text += '\n';
    if (!line.empty()) text += fmt::format("{:{}}{}", "", indent, line);
  }
  return text;
}

constexpr std::int64_t kCellElements = 8;  // the most that a schedule hands its chain at once

std::vector<std::string> PointwiseConfigLines(const Graph& graph, const KernelPlan& kernel) {
  const KernelConfig& config = kernel.config;
  const GraphInput& source = graph.inputs[graph.a];
  return {fmt::format("using A = {};", DeviceType(source.dtype)),
          fmt::format("static constexpr int kWidthA = {};", kernel.widths.inputs[graph.a]),
          fmt::format("static constexpr int kParts = {};", graph.outputs.size()),
          fmt::format("static constexpr bool kTransposes = {};", source.layout == Layout::kColumnMajor),
          fmt::format("static constexpr int kTileM = {}, kTileN = {}, kThreads = {};", config.tile_m, config.tile_n,
                      config.threads),
          fmt::format("static constexpr int kSharedBytes = {};", config.shared_bytes)};
}

// Whether warps beside the producer see to the end of the rows. One merges in four times the time of a warpgroup: it
// must have little to merge, or much beside which it goes unnoticed. While a long K is multiplied, what warpgroups do
// themselves goes unnoticed too.
bool PublishesRows(const Graph& graph, std::int64_t tiles_n) {
  constexpr std::int64_t kFewTiles = 4, kManyRows = 32768, kLongK = 2048;
  const bool goes_unnoticed = tiles_n <= kFewTiles || graph.m.value_or(0) >= kManyRows;
  return tiles_n > 1 && goes_unnoticed && graph.k.value_or(kLongK) < kLongK && EndsInItsOnlyReduction(graph);
}

std::vector<std::string> ConfigLines(const Graph& graph, const KernelPlan& kernel) {
  const KernelConfig& config = kernel.config;
  if (config.family == Family::kPointwise) return PointwiseConfigLines(graph, kernel);
  if (config.family == Family::kRows) {
    return {fmt::format("static constexpr int kThreads = {}, kLanes = {};", config.threads, config.micro_n),
            fmt::format("static constexpr int kHeldSteps = {};", config.stages)};
  }
  const auto columns = graph.ExtentOf(graph.IsGated() ? Axis::kHalfN : Axis::kN);
  std::vector<std::string> lines = {
      fmt::format("using A = {};", DeviceType(graph.inputs[graph.a].dtype)),
      fmt::format("using B = {};", DeviceType(graph.inputs[graph.b].dtype)),
      fmt::format("static constexpr bool kAContiguousInK = {}, kBContiguousInK = {};", RunsAlongK(graph, true),
                  RunsAlongK(graph, false)),
      fmt::format("static constexpr int kWidthA = {}, kWidthB = {};", kernel.widths.inputs[graph.a],
                  kernel.widths.inputs[graph.b]),
      fmt::format("static constexpr int kTileM = {}, kTileN = {}, kTileK = {};", config.tile_m, config.tile_n,
                  config.tile_k),
      fmt::format("static constexpr int kStages = {}, kGroupM = {}, kThreads = {};", config.stages, config.group_m,
                  config.threads),
      fmt::format("static constexpr int kSharedBytes = {};", config.shared_bytes),
      fmt::format("static constexpr bool kGated = {};", graph.IsGated()),
      fmt::format("static constexpr bool kWholeCells = {};", columns.has_value() && *columns % kCellElements == 0),
  };
  if (config.family == Family::kWgmma) {
    const std::int64_t tile_columns = config.tile_n / (graph.IsGated() ? 2 : 1);
    const bool whole_tiles = columns.has_value() && *columns % tile_columns == 0;
    lines.push_back(fmt::format("static constexpr bool kWholeTiles = {};", whole_tiles));
    const auto k = graph.ExtentOf(Axis::kK);
    const bool whole_blocks = k.has_value() && *k > 0 && *k % config.tile_k == 0;
    lines.push_back(fmt::format("static constexpr bool kWholeBlocks = {};", whole_blocks));
    lines.push_back(fmt::format("static constexpr int kParts = {};", PartsOf(graph)));
    lines.push_back(fmt::format("static constexpr bool kPingPong = {};", config.micro_m == config.tile_m));
    lines.push_back(fmt::format("static constexpr int kSubtileN = {};", config.subtile_n));
    lines.push_back(fmt::format("static constexpr int kOutputSlices = {};", OutputSlices(graph)));
    lines.push_back(fmt::format("static constexpr int kCellN = {};", config.cell_n));
    const bool by_rows = config.rows == RowSchedule::kBarrier;
    lines.push_back(fmt::format("static constexpr bool kByRows = {};", by_rows));
    bool publishes = false;
    if (by_rows) {
      const std::int64_t tiles_n = TilesAcross(graph, config);
      lines.push_back(fmt::format("static constexpr int kTilesN = {};", tiles_n));
      publishes = PublishesRows(graph, tiles_n);
    }
    lines.push_back(fmt::format("static constexpr bool kPublishes = {};", publishes));
  } else {
    lines.push_back(fmt::format("static constexpr int kMicroM = {}, kMicroN = {};", config.micro_m, config.micro_n));
    lines.push_back(fmt::format("static constexpr int kSlicesK = {}, kClusterK = {}, kClustersK = {};", config.slices_k,
                                config.cluster_k, config.clusters_k));
  }
  return lines;
}

std::string ParamLine(const Graph& graph, const ParamField& field) {
  switch (field.kind) {
    case ParamKind::kInputPointer:
      return fmt::format("const {}* {};", DeviceType(graph.inputs[field.index].dtype), InputName(field.index));
    case ParamKind::kInputLd:
      return fmt::format("Int64 {};", InputLdName(field.index));
    case ParamKind::kOutputPointer:
      return fmt::format("{}* {};", DeviceType(graph.outputs[field.index].dtype), OutputName(field.index));
    case ParamKind::kOutputLd:
      return fmt::format("Int64 {};", OutputLdName(field.index));
    case ParamKind::kIntermediatePointer:
    case ParamKind::kIntermediateLd:
      break;  // a kernel knows its inputs and outputs
    case ParamKind::kWorkspaceCounters:
      return "unsigned* counters;";
    case ParamKind::kWorkspaceParts:
      return "float* parts;";
    case ParamKind::kScalar:
      return fmt::format("float {};", InputName(field.index));
    case ParamKind::kM:
      return "int m;";
    case ParamKind::kN:
      return "int n;";
    case ParamKind::kK:
      return "int k;";
    case ParamKind::kTensorMap:
      return fmt::format("hopper::TensorMap map{};", field.index);
  }
  return "";
}

// The struct of a prologue, with the empty line that follows it; nothing where there is none.
std::string PrologueText(const Graph& graph, const AccessWidths& widths, const std::vector<Node>& chain,
                         std::string_view name) {
  if (chain.empty()) return "";
  const std::vector<std::string> lines = {
      fmt::format("struct {} {{", name),
      "  static constexpr bool kIdentity = false;",
      "  const Params& p;",
      "",
      "  template <int V>",
      "  __device__ __forceinline__ Vec<V> operator()(const Cell<V>& cell, const Vec<V>& v0) const {",
      Lines(PrologueStatements(graph, chain, widths), 4),
      "  }",
      "};"};
  return fmt::format("{}\n\n", fmt::join(lines, "\n"));
}

// The initialisers of a schedule's problem, from the parameters. Of factors in two parts there are four maps.
std::string ProductProblem(const Graph& graph, const KernelConfig& config, std::size_t maps) {
  if (maps == 2 && HasWorkspace(config)) {
    return "&p.map0, &p.map1, p.m, p.n, p.k, nullptr, nullptr, {p.counters, p.parts}";
  }
  if (maps == 2) return "&p.map0, &p.map1, p.m, p.n, p.k";
  if (maps == 4) return "&p.map0, &p.map2, p.m, p.n, p.k, &p.map1, &p.map3";
  const std::string a = InputName(graph.a), b = InputName(graph.b);
  const std::string_view workspace = HasWorkspace(config) ? ", {p.counters, p.parts}" : "";
  return fmt::format("p.{}, p.{}, p.{}, p.{}, p.m, p.n, p.k{}", a, InputLdName(graph.a), b, InputLdName(graph.b),
                     workspace);
}

std::string_view ExtentName(Axis axis) {
  switch (axis) {
    case Axis::kM:
      return "m";
    case Axis::kN:
      return "n";
    case Axis::kHalfN:
      return "n / 2";
    case Axis::kK:
      break;
  }
  return "k";
}

std::string MatrixProblem(const Graph& graph, const Axes& axes) {
  return fmt::format("p.{}, p.{}, p.{}, p.{}", InputName(graph.a), InputLdName(graph.a), ExtentName(axes[0]),
                     ExtentName(axes[1]));
}

// What the entry passes for a prologue.
std::string PrologueArgument(const std::vector<Node>& chain, std::string_view name) {
  return chain.empty() ? "gemmd::NoPrologue{}" : fmt::format("gemmd::{}{{p}}", name);
}

// The method for what comes before a gate, with the empty line that follows it; nothing where there is no gate.
std::string BeforeGateText(const Graph& graph, const AccessWidths& widths) {
  if (!graph.IsGated()) return "";
  const std::vector<std::string> lines = {
      "  template <int kHalf, int V, typename Writer>",
      "  __device__ __forceinline__ Vec<V> BeforeGate(const Cell<V>& cell, const Vec<V>& v0, Writer& out) const {",
      Lines(BeforeGateStatements(graph, widths), 4), "  }"};
  return fmt::format("{}\n\n", fmt::join(lines, "\n"));
}

// What an epilogue is called with, before its operands: a cell with its values, and where there is a gate the same of
// the other half.
std::string CellsText(const Graph& graph) {
  if (!graph.IsGated()) return "const Cell<V>& cell, const Vec<V>& v0";
  return "const Cell<V>& cell, const Vec<V>& x, const Cell<V>& other,\n                                             "
         "const Vec<V>& y";
}

// setmaxnreg needs the registers of an SM's one CTA to be fixed at entry. Beside a prologue, and where rows are held in
// registers, ptxas, left its choice, would spill to fit more CTAs on an SM. Other kernels leave it its choice.
std::string LaunchBounds(const Graph& graph, const KernelConfig& config) {
  const bool one_cta = config.family == Family::kWgmma || config.family == Family::kRows || !graph.prologue_a.empty() ||
                       !graph.prologue_b.empty();
  return one_cta ? fmt::format("{}, 1", config.threads) : fmt::format("{}", config.threads);
}

// The product is the same whatever the extents are, and so is its source.
std::string ShapelessSummary(const Graph& graph) {
  Graph shapeless = graph;
  shapeless.m = shapeless.n = shapeless.k = std::nullopt;
  return Summary(shapeless);
}

std::string Joined(const std::vector<std::string>& lines) { return fmt::format("{}", fmt::join(lines, "\n")); }

// The struct Epilogue of a chain that works on one cell at a time.
std::string CellEpilogueText(const Graph& graph, const KernelPlan& kernel) {
  std::vector<std::string> operands, loads;
  for (OperandLoad& load : OperandLoads(graph, kernel.widths)) {
    operands.push_back(std::move(load.member));
    loads.push_back(std::move(load.expression) + ",");
  }
  std::string fragments;
  if (kernel.config.family == Family::kWgmma && kernel.config.cell_n == kFragmentCell) {
    fragments = Lines(FragmentLines(graph, kernel.widths), 2) + "\n\n";
  }
  return Joined(
      {"struct Epilogue {",
       "  const Params& p;",
       "",
       "  template <int V>",
       "  struct Operands {",
       Lines(operands, 4),
       "  };",
       "",
       "  template <int V>",
       "  __device__ __forceinline__ Operands<V> Load(const Cell<V>& cell) const {",
       "    return {",
       Lines(loads, 8),
       "    };",
       "  }",
       "",
       fmt::format("{}{}  template <int V, typename Writer>", BeforeGateText(graph, kernel.widths), fragments),
       fmt::format("  __device__ __forceinline__ void operator()({}, const Operands<V>& o, Writer& out) const {{",
                   CellsText(graph)),
       Lines(EpilogueStatements(graph, kernel.widths), 4),
       "  }",
       "};"});
}

// The struct Epilogue of a chain that goes by rows.
std::string RowEpilogueText(const Graph& graph, const KernelPlan& kernel) {
  const bool on_fragments = kernel.config.family == Family::kWgmma;
  const std::string fragments = on_fragments ? Lines(FlushLines(graph, kernel.widths), 2) + "\n\n" : "";
  return Joined({"struct Epilogue {", "  const Params& p;", "", fragments + "  template <typename Rows>",
                 "  __device__ __forceinline__ void operator()(Rows& rows) const {",
                 Lines(RowStatements(graph, kernel.widths, on_fragments), 4), "  }", "};"});
}

// The graph that a kernel of the plan computes.
Graph GraphOf(const Graph& whole, const KernelConfig& config) {
  switch (config.family) {
    case Family::kPointwise:
      return PackGraph(whole, config.packing);
    case Family::kRows:
      return RowsOf(whole);
    case Family::kSimt:
    case Family::kMma:
    case Family::kWgmma:
    case Family::kSkinny:
      break;
  }
  return AfterPacking(ProductOf(whole, config.rows), config.packing);
}

std::string ProblemText(const Graph& whole, const Graph& graph, const KernelConfig& config, std::size_t maps) {
  switch (config.family) {
    case Family::kPointwise:
      return MatrixProblem(graph, LineAxes(whole, config.packing));
    case Family::kRows:
      return MatrixProblem(graph, RowAxes(whole));
    case Family::kSimt:
    case Family::kMma:
    case Family::kWgmma:
    case Family::kSkinny:
      break;
  }
  return ProductProblem(graph, config, maps);
}

// The schedule's file, which includes no more than its chains have use for.
std::string HeaderOf(const KernelConfig& config) {
  std::string name(Name(config.family));
  if (config.family != Family::kWgmma) return name;
  return name + (config.rows == RowSchedule::kBarrier ? "_rows" : "_slices");
}

}  // namespace

absl::StatusOr<GeneratedKernel> Generate(const Graph& whole, const KernelPlan& kernel) {
  const Graph graph = GraphOf(whole, kernel.config);
  const std::vector<TensorMapRecipe> maps = TensorMapsOf(graph, kernel.config);
  const std::vector<ParamField> fields = ParamLayout(graph, maps, HasWorkspace(kernel.config));
  std::vector<std::string> params;
  for (const ParamField& field : fields) params.push_back(ParamLine(graph, field));
  constexpr std::string_view kPrologueA = "PrologueA", kPrologueB = "PrologueB";
  const std::string prologues = PrologueText(graph, kernel.widths, graph.prologue_a, kPrologueA) +
                                PrologueText(graph, kernel.widths, graph.prologue_b, kPrologueB);

  const std::string chain = ReducesRows(graph) ? RowEpilogueText(graph, kernel) : CellEpilogueText(graph, kernel);
  GeneratedKernel result;
  result.entry = std::string(kKernelEntry);
  GEMMD_ASSIGN_OR_RETURN(
      result.source,
      FillTemplate(KernelTemplate(), {{"summary", ShapelessSummary(graph)},
                                      {"header", HeaderOf(kernel.config)},
                                      {"schedule", std::string(Name(kernel.config.family))},
                                      {"config", Lines(ConfigLines(graph, kernel), 2)},
                                      {"params", Lines(params, 2)},
                                      {"param_bytes", fmt::format("{}", ParamBytes(fields))},
                                      {"chain", chain},
                                      {"prologues", prologues},
                                      {"prologue_a", PrologueArgument(graph.prologue_a, kPrologueA)},
                                      {"prologue_b", PrologueArgument(graph.prologue_b, kPrologueB)},
                                      {"launch_bounds", LaunchBounds(graph, kernel.config)},
                                      {"entry", result.entry},
                                      {"problem", ProblemText(whole, graph, kernel.config, maps.size())}}));
  return result;
}

}  // namespace gemmd
