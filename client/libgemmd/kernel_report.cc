#include "client/libgemmd/kernel_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "plan/cost_model.h"
#include "plan/graph.h"

namespace gemmd {
namespace {

using Json = nlohmann::ordered_json;

Json ConfigJson(const KernelConfig& config) {
  return {{"family", Name(config.family)},
          {"tile", {config.tile_m, config.tile_n, config.tile_k}},
          {"micro", {config.micro_m, config.micro_n}},
          {"stages", config.stages},
          {"split_k", config.split_k()},
          {"cluster_k", config.cluster_k},
          {"group_m", config.group_m},
          {"subtile_n", config.subtile_n},
          {"threads", config.threads},
          {"shared_bytes", config.shared_bytes}};
}

// What ptxas said of all functions of one cubin.
ResourceUsage Total(const std::vector<ResourceUsage>& usage) {
  ResourceUsage total;
  for (const ResourceUsage& entry : usage) {
    total.registers = std::max(total.registers, entry.registers);
    total.spill_store_bytes += entry.spill_store_bytes;
    total.spill_load_bytes += entry.spill_load_bytes;
    total.static_shared_bytes = std::max(total.static_shared_bytes, entry.static_shared_bytes);
  }
  return total;
}

Json KernelJson(const CompiledSpec& compiled, std::size_t index, const DeviceLimits& limits) {
  constexpr int kRegistersGranule = 8;  // registers are given to a warp by 256
  const KernelConfig& config = compiled.planned.plan.kernels[index].config;
  const CompiledModule& module = compiled.modules[index];
  const ResourceUsage usage = Total(module.usage);
  const int registers = (usage.registers + kRegistersGranule - 1) / kRegistersGranule * kRegistersGranule;
  Json json = ConfigJson(config);
  json["registers"] = usage.registers;
  json["spill_store_bytes"] = usage.spill_store_bytes;
  json["spill_load_bytes"] = usage.spill_load_bytes;
  json["static_shared_bytes"] = usage.static_shared_bytes;
  json["ctas_per_sm"] =
      ResidentCtas(config.shared_bytes + usage.static_shared_bytes, registers, config.threads, limits);
  json["compile_us"] = module.compile_us;
  json["cubin_bytes"] = module.cubin->size();
  json["cubin_key"] = compiled.planned.modules[index].cubin_key;
  json["source"] = compiled.planned.modules[index].generated.source;
  return json;
}

}  // namespace

std::string KernelReport(const CompileOutcome& outcome, const DeviceLimits& limits) {
  const CompiledSpec& compiled = *outcome.compiled;
  const Plan& plan = compiled.planned.plan;
  Json kernels = Json::array();
  for (std::size_t i = 0; i < plan.kernels.size(); ++i) kernels.push_back(KernelJson(compiled, i, limits));
  Json variants = Json::array();
  for (const PlanVariant& variant : plan.variants) {
    variants.push_back({{"m_min", variant.m.min}, {"m_max", variant.m.max}, {"kernels", variant.kernels}});
  }
  const Json report = {{"spec_id", compiled.planned.spec_id},
                       {"plan_id", plan.plan_id},
                       {"arch", Name(plan.arch)},
                       {"summary", Summary(outcome.canonical.graph)},
                       {"cache_tier", Name(outcome.tier)},
                       {"reasons", plan.reasons},
                       {"variants", std::move(variants)},
                       {"kernels", std::move(kernels)}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gemmd
