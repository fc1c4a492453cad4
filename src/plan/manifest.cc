#include "plan/manifest.h"

#include <algorithm>

#include "plan/packing.h"
#include "plan/row_kernels.h"
#include "plan/split_k.h"

namespace gemmd {
namespace {

// What the kernels of a plan pack: the manifest's intermediates.
Packing PackedBy(const Plan& plan) {
  bool a = false, b = false;
  for (const KernelPlan& kernel : plan.kernels) {
    if (kernel.config.family != Family::kPointwise) continue;
    a |= PacksA(kernel.config.packing);
    b |= PacksB(kernel.config.packing);
  }
  if (a && b) return Packing::kBoth;
  return a ? Packing::kA : b ? Packing::kB : Packing::kNone;
}

// The index among a plan's intermediates of a packed factor's first part.
int IntermediateOf(const Graph& graph, Packing packed_by_plan, bool is_a) {
  return !is_a && PacksA(packed_by_plan) ? PartsOf(graph) : 0;
}

// The indices among a plan's intermediates of what its kernels leave each other.
struct Intermediates {
  Packing packed = Packing::kNone;  // first what is packed,
  int rows = 0;                     // then the matrix whose rows are reduced
};

// A tensor of a kernel's own graph, which it takes from or leaves for another kernel.
void MakeIntermediate(LaunchStep& step, ParamKind pointer, ParamKind ld, int index, int intermediate) {
  for (ParamField& field : step.params) {
    if (field.index != index || (field.kind != pointer && field.kind != ld)) continue;
    field.kind = field.kind == pointer ? ParamKind::kIntermediatePointer : ParamKind::kIntermediateLd;
    field.index = intermediate;
  }
}

LaunchStep StepOfKernel(const KernelConfig& config, int module, const Graph& kernel_graph) {
  LaunchStep step;
  step.entry = std::string(kKernelEntry);
  step.module = module;
  step.grid = {config.tile_m, config.tile_n, config.family == Family::kWgmma ? 1 : 0};
  step.grid.ctas_per_tile = config.split_k();
  step.cluster = {config.cluster_k, 1, 1};
  if (config.rows == RowSchedule::kBarrier) step.grid.least_ctas = RowBarrierCtas(kernel_graph, config);
  step.block = {config.threads, 1, 1};
  step.shared_bytes = config.shared_bytes;
  step.tensor_maps = TensorMapsOf(kernel_graph, config);
  step.params = ParamLayout(kernel_graph, step.tensor_maps, HasWorkspace(config));
  step.cooperative = config.rows == RowSchedule::kBarrier;
  step.param_bytes = ParamBytes(step.params);
  return step;
}

LaunchStep ProductStep(const Graph& graph, const KernelConfig& config, int module, const Intermediates& of_plan) {
  const Graph before = ProductOf(graph, config.rows);
  const Graph product = AfterPacking(before, config.packing);
  LaunchStep step = StepOfKernel(config, module, product);
  const auto inputs = static_cast<int>(graph.inputs.size());
  for (TensorMapRecipe& recipe : step.tensor_maps) {
    if (recipe.input < inputs) continue;
    const bool is_a = PacksA(config.packing) && recipe.input < product.a + PartsOf(graph);
    const int part = recipe.input - (is_a ? product.a : product.b);
    recipe.input = inputs + IntermediateOf(graph, of_plan.packed, is_a) + part;
  }
  if (config.rows == RowSchedule::kTwoKernels) {
    MakeIntermediate(step, ParamKind::kOutputPointer, ParamKind::kOutputLd,
                     static_cast<int>(product.outputs.size()) - 1, of_plan.rows);
  }
  return step;
}

// What the kernel stores are intermediates.
LaunchStep PackStep(const Graph& graph, const KernelConfig& config, int module, const Intermediates& of_plan) {
  LaunchStep step = StepOfKernel(config, module, PackGraph(graph, config.packing));
  const Axes axes = LineAxes(graph, config.packing);
  step.grid.rows = axes[0];
  step.grid.columns = axes[1];
  const int first = IntermediateOf(graph, of_plan.packed, config.packing == Packing::kA);
  for (int part = 0; part < PartsOf(graph); ++part) {
    MakeIntermediate(step, ParamKind::kOutputPointer, ParamKind::kOutputLd, part, first + part);
  }
  return step;
}

LaunchStep RowStep(const Graph& graph, const KernelConfig& config, int module, const Intermediates& of_plan) {
  const Graph rows = RowsOf(graph);
  LaunchStep step = StepOfKernel(config, module, rows);
  step.grid.columns = step.grid.rows;  // of whole rows there is one tile, be they empty
  MakeIntermediate(step, ParamKind::kInputPointer, ParamKind::kInputLd, rows.a, of_plan.rows);
  return step;
}

LaunchStep StepOf(const Graph& graph, const KernelConfig& config, int module, const Intermediates& of_plan) {
  switch (config.family) {
    case Family::kPointwise:
      return PackStep(graph, config, module, of_plan);
    case Family::kRows:
      return RowStep(graph, config, module, of_plan);
    case Family::kSimt:
    case Family::kMma:
    case Family::kWgmma:
    case Family::kSkinny:
      break;
  }
  return ProductStep(graph, config, module, of_plan);
}

}  // namespace

bool HasWorkspace(const KernelConfig& config) { return config.rows == RowSchedule::kBarrier || config.clusters_k > 1; }

Workspace WorkspaceOf(const Graph& graph, const KernelConfig& config) {
  return config.rows == RowSchedule::kBarrier ? RowWorkspace(graph, config) : SplitWorkspace(graph, config);
}

Manifest MakeManifest(const Graph& graph, const Plan& plan, std::vector<std::string> cubin_keys) {
  Manifest manifest;
  manifest.spec_id = SpecId(graph);
  manifest.plan_id = plan.plan_id;
  manifest.cubin_keys = std::move(cubin_keys);
  manifest.arch = plan.arch;
  manifest.m = graph.m;
  manifest.n = graph.n;
  manifest.k = graph.k;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const GraphInput& input = graph.inputs[i];
    manifest.inputs.push_back({"", input.dtype, input.layout, Name(input.axes), plan.assumptions.inputs[i]});
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const GraphOutput& output = graph.outputs[i];
    manifest.outputs.push_back({"", output.dtype, Layout::kRowMajor, Name(output.axes), plan.assumptions.outputs[i]});
  }
  Intermediates intermediates{.packed = PackedBy(plan)};
  for (const PackedTensor& tensor : PackedTensors(graph, intermediates.packed)) {
    manifest.intermediates.push_back({"", tensor.dtype, tensor.layout, Name(tensor.axes)});
  }
  intermediates.rows = static_cast<int>(manifest.intermediates.size());
  if (std::ranges::any_of(plan.kernels, [](const KernelPlan& k) { return k.config.family == Family::kRows; })) {
    manifest.intermediates.push_back({"", DType::kF32, Layout::kRowMajor, Name(RowAxes(graph))});
  }
  for (const PlanVariant& planned : plan.variants) {
    Variant variant{planned.m.min, planned.m.max, {}, {}};
    for (const int kernel : planned.kernels) {
      const KernelConfig& config = plan.kernels[kernel].config;
      if (HasWorkspace(config)) variant.workspace = WorkspaceOf(graph, config);  // one kernel's at most
      variant.launches.push_back(StepOf(graph, config, kernel, intermediates));
    }
    manifest.variants.push_back(std::move(variant));
  }
  return manifest;
}

}  // namespace gemmd
