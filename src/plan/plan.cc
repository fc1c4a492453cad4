#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"
#include "plan/packing.h"
#include "plan/row_kernels.h"
#include "plan/split_k.h"

namespace gemmd {
namespace {

Axis ContiguousAxis(const GraphInput& matrix) {
  return matrix.layout == Layout::kRowMajor ? matrix.axes[1] : matrix.axes[0];
}

// Of a matrix without gaps.
int ContiguousAlignment(DType dtype, const std::optional<std::int64_t>& line_elements) {
  return AlignmentOf(0, SizeBytes(dtype) * line_elements.value_or(1));
}

// In the chain of a gate both halves of N are begun at once: the second must start there too. 1: not known.
std::int64_t AlignedExtent(const Graph& graph, Axis axis) {
  return graph.ExtentOf(axis == Axis::kN && graph.IsGated() ? Axis::kHalfN : axis).value_or(1);
}

// Of a tensor whose lines run along `axis`.
int LineWidth(const Graph& graph, DType dtype, Axis axis, int alignment_bytes) {
  const std::int64_t element_bytes = SizeBytes(dtype);
  const bool halves = axis == Axis::kN && graph.IsGated();
  const std::int64_t second_half_bytes = halves ? AlignedExtent(graph, axis) * element_bytes : 0;
  return AlignmentOf(alignment_bytes, second_half_bytes) / static_cast<int>(element_bytes);
}

// The schedules load A and B in accesses that lie wholly inside or outside of them.
int InputWidth(const Graph& graph, std::size_t index, int alignment_bytes) {
  const GraphInput& input = graph.inputs[index];
  if (input.axes.empty()) return 1;
  const Axis axis = input.axes.size() == 1 ? input.axes[0] : ContiguousAxis(input);
  int width = LineWidth(graph, input.dtype, axis, alignment_bytes);
  const bool is_factor = static_cast<int>(index) == graph.a || static_cast<int>(index) == graph.b;
  while (is_factor && AlignedExtent(graph, axis) % width != 0) width /= 2;
  return width;
}

void AddConfig(Digest& digest, const KernelConfig& config) {
  digest.Add("family", Name(config.family));
  digest.Add("tile_m", std::int64_t{config.tile_m}).Add("tile_n", std::int64_t{config.tile_n});
  digest.Add("tile_k", std::int64_t{config.tile_k}).Add("micro_m", std::int64_t{config.micro_m});
  digest.Add("micro_n", std::int64_t{config.micro_n}).Add("stages", std::int64_t{config.stages});
  digest.Add("subtile_n", std::int64_t{config.subtile_n}).Add("cell_n", std::int64_t{config.cell_n});
  digest.Add("packing", Name(config.packing)).Add("rows", Name(config.rows));
  digest.Add("slices_k", std::int64_t{config.slices_k});
  digest.Add("cluster_k", std::int64_t{config.cluster_k}).Add("clusters_k", std::int64_t{config.clusters_k});
  digest.Add("group_m", std::int64_t{config.group_m}).Add("threads", std::int64_t{config.threads});
  digest.Add("shared_bytes", config.shared_bytes);
}

void AddNumbers(Digest& digest, std::string_view tag, const std::vector<int>& numbers) {
  digest.Add(tag, static_cast<std::int64_t>(numbers.size()));
  for (int number : numbers) digest.Add("number", std::int64_t{number});
}

std::string PlanId(const Graph& graph, const Plan& plan) {
  Digest digest("plan_id");
  digest.Add("spec_id", SpecId(graph)).Add("arch", Name(plan.arch));
  AddNumbers(digest, "aligned_inputs", plan.assumptions.inputs);
  AddNumbers(digest, "aligned_outputs", plan.assumptions.outputs);
  digest.Add("variants", static_cast<std::int64_t>(plan.variants.size()));
  for (const PlanVariant& variant : plan.variants) {
    digest.Add("m_min", variant.m.min).Add("m_max", variant.m.max);
    digest.Add("launches", static_cast<std::int64_t>(variant.kernels.size()));
    for (const int kernel : variant.kernels) digest.Add("kernel", std::int64_t{kernel});
  }
  digest.Add("kernels", static_cast<std::int64_t>(plan.kernels.size()));
  for (const KernelPlan& kernel : plan.kernels) {
    AddConfig(digest, kernel.config);
    AddNumbers(digest, "inputs", kernel.widths.inputs);
    AddNumbers(digest, "outputs", kernel.widths.outputs);
  }
  return digest.FinishHex();
}

KernelPlan PackKernel(const Graph& graph, Packing factor, const Assumptions& assumptions) {
  KernelPlan kernel;
  kernel.config.family = Family::kPointwise;
  kernel.config.packing = factor;
  kernel.config.threads = 256;
  const Graph pack = PackGraph(graph, factor);
  if (pack.inputs[pack.a].layout == Layout::kRowMajor) {
    // A warp takes four runs of 256 elements: enough loads in flight to fill the memory's pipe.
    kernel.config.tile_m = 32;
    kernel.config.tile_n = 256;
  } else {
    // Transposed in shared memory.
    kernel.config.tile_m = kernel.config.tile_n = 64;
    kernel.config.shared_bytes = 64 * 64 * SizeBytes(pack.inputs[pack.a].dtype);
  }
  kernel.widths =
      WidthsOf(pack, {Completed(graph, assumptions).inputs, std::vector<int>(pack.outputs.size(), kAccessBytes)});
  return kernel;
}

std::string PackingReason(const Graph& graph, Packing factor) {
  const bool is_a = factor == Packing::kA;
  const auto why = [&] {
    if (!(is_a ? graph.prologue_a : graph.prologue_b).empty()) {
      return "its prologue would be computed again for every tile";
    }
    if (PartsOf(graph) > 1) return "the tensor cores take its elements in two parts of tf32";
    if (OnlyAlongK(graph.inputs[is_a ? graph.a : graph.b].dtype) && !RunsAlongK(graph, is_a)) {
      return "the tensor cores take f32 only along K";
    }
    return "its lines do not start on 16 bytes, as the copy engine wants them";
  };
  return fmt::format("{} is packed first: {}", is_a ? "A" : "B", why());
}

// Where `value` is in `list`, at whose end it is added if it was not there.
template <typename T>
int IndexOf(std::vector<T>& list, const T& value) {
  const auto found = std::find(list.begin(), list.end(), value);
  const auto index = static_cast<int>(found - list.begin());
  if (found == list.end()) list.push_back(value);
  return index;
}

}  // namespace

std::string ScheduleOf(const KernelConfig& config) {
  if (config.family == Family::kPointwise)
    return fmt::format("{}, packs {}", Name(config.family), Name(config.packing));
  if (config.family == Family::kRows) return fmt::format("{}, {} threads a row", Name(config.family), config.micro_n);
  const std::string tile = fmt::format("{} {}x{}x{}", Name(config.family), config.tile_m, config.tile_n, config.tile_k);
  return config.split_k() == 1 ? tile : fmt::format("{}, K divided by {}", tile, config.split_k());
}

int AlignmentOf(std::int64_t offset_bytes, std::int64_t pitch_bytes) {
  const std::int64_t all = offset_bytes | pitch_bytes | kAccessBytes;
  return static_cast<int>(all & -all);
}

Assumptions Completed(const Graph& graph, Assumptions assumptions) {
  if (assumptions.inputs.empty()) {
    for (const GraphInput& input : graph.inputs) {
      const bool is_matrix = input.axes.size() == 2;
      assumptions.inputs.push_back(is_matrix ? ContiguousAlignment(input.dtype, graph.ExtentOf(ContiguousAxis(input)))
                                             : kAccessBytes);
    }
  }
  if (assumptions.outputs.empty()) {
    for (const GraphOutput& output : graph.outputs) {
      const bool is_matrix = output.axes.size() == 2;
      assumptions.outputs.push_back(is_matrix ? ContiguousAlignment(output.dtype, graph.ExtentOf(output.axes[1]))
                                              : kAccessBytes);
    }
  }
  return assumptions;
}

AccessWidths WidthsOf(const Graph& graph, const Assumptions& assumptions) {
  const Assumptions aligned = Completed(graph, assumptions);
  AccessWidths widths;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    widths.inputs.push_back(InputWidth(graph, i, aligned.inputs[i]));
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const GraphOutput& output = graph.outputs[i];
    widths.outputs.push_back(LineWidth(graph, output.dtype, output.axes.back(), aligned.outputs[i]));
  }
  return widths;
}

Plan PlanWith(const Graph& graph, const KernelConfig& config, const DeviceLimits& limits,
              const Assumptions& assumptions, const MRange& m) {
  Plan plan;
  plan.arch = limits.arch;
  plan.assumptions = Completed(graph, assumptions);
  for (const Packing factor : {Packing::kA, Packing::kB}) {
    if (!(factor == Packing::kA ? PacksA(config.packing) : PacksB(config.packing))) continue;
    plan.kernels.push_back(PackKernel(graph, factor, assumptions));
    plan.reasons.push_back(PackingReason(graph, factor));
  }
  const Graph product = ProductOf(graph, config.rows);
  const Assumptions promised = ProductOf(graph, config.rows, assumptions);
  plan.kernels.push_back(
      {config, WidthsOf(AfterPacking(product, config.packing), AfterPacking(product, config.packing, promised))});
  if (config.rows == RowSchedule::kTwoKernels) {
    plan.kernels.push_back(RowKernel(graph, assumptions));
    plan.reasons.push_back("the row reductions are a kernel of their own: no tile of the product has whole rows");
  }
  PlanVariant variant{m, {}};
  for (std::size_t i = 0; i < plan.kernels.size(); ++i) variant.kernels.push_back(static_cast<int>(i));
  plan.variants.push_back(std::move(variant));
  plan.plan_id = PlanId(graph, plan);
  return plan;
}

Plan Joined(const Graph& graph, const std::vector<Plan>& plans) {
  Plan joined;
  joined.arch = plans.front().arch;
  joined.assumptions = plans.front().assumptions;
  for (const Plan& plan : plans) {
    for (const PlanVariant& variant : plan.variants) {
      PlanVariant added{variant.m, {}};
      for (const int kernel : variant.kernels) added.kernels.push_back(IndexOf(joined.kernels, plan.kernels[kernel]));
      if (!joined.variants.empty() && joined.variants.back().kernels == added.kernels) {
        joined.variants.back().m.max = added.m.max;
      } else {
        joined.variants.push_back(std::move(added));
      }
    }
    for (const std::string& reason : plan.reasons) IndexOf(joined.reasons, reason);
  }
  joined.plan_id = PlanId(graph, joined);
  return joined;
}

}  // namespace gemmd
