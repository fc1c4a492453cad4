#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"

namespace gemmd {
namespace {

constexpr int kAccessBytes = 16;

int FullWidth(DType dtype) { return kAccessBytes / static_cast<int>(SizeBytes(dtype)); }

// `contiguous_extent`: of the tensor's lines; every line must start on 16 bytes when the first one does.
int MatrixWidth(DType dtype, const std::optional<std::int64_t>& contiguous_extent, const Assumptions& assumptions) {
  const int width = FullWidth(dtype);
  const bool aligned = assumptions.contiguous && assumptions.pointer_alignment_bytes >= kAccessBytes;
  return aligned && contiguous_extent && *contiguous_extent % width == 0 ? width : 1;
}

// In the chain of a gate both halves of N are begun at once: the second must start on 16 bytes too.
std::optional<std::int64_t> AlignedExtent(const Graph& graph, Axis axis) {
  return graph.ExtentOf(axis == Axis::kN && graph.IsGated() ? Axis::kHalfN : axis);
}

int InputWidth(const Graph& graph, const GraphInput& input, const Assumptions& assumptions) {
  if (input.axes.empty()) return 1;
  if (input.axes.size() == 1) {
    const int width = FullWidth(input.dtype);
    const bool halves = input.axes[0] == Axis::kN && graph.IsGated();
    if (halves && *AlignedExtent(graph, Axis::kN) % width != 0) return 1;
    return assumptions.pointer_alignment_bytes >= kAccessBytes ? width : 1;
  }
  const Axis contiguous = input.layout == Layout::kRowMajor ? input.axes[1] : input.axes[0];
  return MatrixWidth(input.dtype, AlignedExtent(graph, contiguous), assumptions);
}

void AddConfig(Digest& digest, const KernelConfig& config) {
  digest.Add("family", Name(config.family));
  digest.Add("tile_m", std::int64_t{config.tile_m}).Add("tile_n", std::int64_t{config.tile_n});
  digest.Add("tile_k", std::int64_t{config.tile_k}).Add("micro_m", std::int64_t{config.micro_m});
  digest.Add("micro_n", std::int64_t{config.micro_n}).Add("stages", std::int64_t{config.stages});
  digest.Add("subtile_n", std::int64_t{config.subtile_n});
  digest.Add("group_m", std::int64_t{config.group_m}).Add("threads", std::int64_t{config.threads});
  digest.Add("shared_bytes", config.shared_bytes);
}

void AddWidths(Digest& digest, std::string_view tag, const std::vector<int>& widths) {
  digest.Add(tag, static_cast<std::int64_t>(widths.size()));
  for (int width : widths) digest.Add("width", std::int64_t{width});
}

std::string PlanId(const Graph& graph, const Plan& plan) {
  Digest digest("plan_id");
  digest.Add("spec_id", SpecId(graph)).Add("arch", Name(plan.arch));
  digest.Add("pointer_alignment_bytes", std::int64_t{plan.assumptions.pointer_alignment_bytes});
  digest.Add("contiguous", std::int64_t{plan.assumptions.contiguous});
  digest.Add("variants", static_cast<std::int64_t>(plan.variants.size()));
  for (const PlanVariant& variant : plan.variants) {
    digest.Add("m_min", variant.m.min).Add("m_max", variant.m.max);
    digest.Add("launches", static_cast<std::int64_t>(variant.kernels.size()));
    for (const int kernel : variant.kernels) digest.Add("kernel", std::int64_t{kernel});
  }
  digest.Add("kernels", static_cast<std::int64_t>(plan.kernels.size()));
  for (const KernelPlan& kernel : plan.kernels) {
    AddConfig(digest, kernel.config);
    AddWidths(digest, "inputs", kernel.widths.inputs);
    AddWidths(digest, "outputs", kernel.widths.outputs);
  }
  return digest.FinishHex();
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
  return fmt::format("{} {}x{}x{}", Name(config.family), config.tile_m, config.tile_n, config.tile_k);
}

AccessWidths WidthsOf(const Graph& graph, const Assumptions& assumptions) {
  AccessWidths widths;
  for (const GraphInput& input : graph.inputs) widths.inputs.push_back(InputWidth(graph, input, assumptions));
  for (const GraphOutput& output : graph.outputs) {
    widths.outputs.push_back(MatrixWidth(output.dtype, AlignedExtent(graph, output.axes[1]), assumptions));
  }
  return widths;
}

Plan PlanWith(const Graph& graph, const KernelConfig& config, const DeviceLimits& limits,
              const Assumptions& assumptions, const MRange& m) {
  Plan plan;
  plan.arch = limits.arch;
  plan.assumptions = assumptions;
  plan.kernels.push_back({config, WidthsOf(graph, assumptions)});
  plan.variants.push_back({m, {0}});
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
