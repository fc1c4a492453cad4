#include "plan/manifest.h"

#include "plan/packing.h"

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

LaunchStep StepOf(const KernelConfig& config, int module, const Graph& kernel_graph) {
  LaunchStep step;
  step.entry = std::string(kKernelEntry);
  step.module = module;
  step.grid = {config.tile_m, config.tile_n, config.family == Family::kWgmma ? 1 : 0};
  step.block = {config.threads, 1, 1};
  step.shared_bytes = config.shared_bytes;
  step.tensor_maps = TensorMapsOf(kernel_graph, config);
  step.params = ParamLayout(kernel_graph, step.tensor_maps);
  step.param_bytes = ParamBytes(step.params);
  return step;
}

LaunchStep ProductStep(const Graph& graph, const KernelConfig& config, int module, Packing packed_by_plan) {
  const Graph product = AfterPacking(graph, config.packing);
  LaunchStep step = StepOf(config, module, product);
  const auto inputs = static_cast<int>(graph.inputs.size());
  for (TensorMapRecipe& recipe : step.tensor_maps) {
    if (recipe.input < inputs) continue;
    const bool is_a = PacksA(config.packing) && recipe.input < product.a + PartsOf(graph);
    const int part = recipe.input - (is_a ? product.a : product.b);
    recipe.input = inputs + IntermediateOf(graph, packed_by_plan, is_a) + part;
  }
  return step;
}

// What the kernel stores are intermediates.
LaunchStep PackStep(const Graph& graph, const KernelConfig& config, int module, Packing packed_by_plan) {
  LaunchStep step = StepOf(config, module, PackGraph(graph, config.packing));
  const Axes axes = LineAxes(graph, config.packing);
  step.grid.rows = axes[0];
  step.grid.columns = axes[1];
  const int first = IntermediateOf(graph, packed_by_plan, config.packing == Packing::kA);
  for (ParamField& field : step.params) {
    if (field.kind != ParamKind::kOutputPointer && field.kind != ParamKind::kOutputLd) continue;
    field.kind = field.kind == ParamKind::kOutputPointer ? ParamKind::kIntermediatePointer : ParamKind::kIntermediateLd;
    field.index += first;
  }
  return step;
}

}  // namespace

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
  const Packing packed = PackedBy(plan);
  for (const PackedTensor& tensor : PackedTensors(graph, packed)) {
    manifest.intermediates.push_back({"", tensor.dtype, tensor.layout, Name(tensor.axes)});
  }
  for (const PlanVariant& planned : plan.variants) {
    Variant variant{planned.m.min, planned.m.max, {}};
    for (const int kernel : planned.kernels) {
      const KernelConfig& config = plan.kernels[kernel].config;
      const bool packs = config.family == Family::kPointwise;
      variant.launches.push_back(packs ? PackStep(graph, config, kernel, packed)
                                       : ProductStep(graph, config, kernel, packed));
    }
    manifest.variants.push_back(std::move(variant));
  }
  return manifest;
}

}  // namespace gemmd
