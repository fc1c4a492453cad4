#include "plan/manifest.h"

namespace gemmd {
namespace {

LaunchStep StepOf(const Graph& graph, const KernelConfig& config, int module) {
  LaunchStep step;
  step.entry = std::string(kKernelEntry);
  step.module = module;
  step.grid = {config.tile_m, config.tile_n, config.family == Family::kWgmma ? 1 : 0};
  step.block = {config.threads, 1, 1};
  step.shared_bytes = config.shared_bytes;
  step.tensor_maps = TensorMapsOf(graph, config);
  step.params = ParamLayout(graph, step.tensor_maps);
  step.param_bytes = ParamBytes(step.params);
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
  for (const PlanVariant& planned : plan.variants) {
    Variant variant{planned.m.min, planned.m.max, {}};
    for (const int kernel : planned.kernels) {
      variant.launches.push_back(StepOf(graph, plan.kernels[kernel].config, kernel));
    }
    manifest.variants.push_back(std::move(variant));
  }
  return manifest;
}

}  // namespace gemmd
