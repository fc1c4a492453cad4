#include "engine/compiled_spec.h"

#include <algorithm>
#include <utility>

namespace gemmd {

std::vector<std::string> CubinKeys(const PlannedSpec& planned) {
  std::vector<std::string> keys;
  for (const PlannedModule& module : planned.modules) keys.push_back(module.cubin_key);
  return keys;
}

CompiledSpec WithoutCubins(PlannedSpec planned) {
  CompiledSpec compiled;
  compiled.manifest = MakeManifest(planned.canonical.graph, planned.plan, CubinKeys(planned));
  compiled.planned = std::move(planned);
  return compiled;
}

CompiledSpec Joined(const std::vector<std::shared_ptr<const CompiledSpec>>& parts) {
  CompiledSpec joined;
  joined.planned.canonical = parts.front()->planned.canonical;
  joined.planned.spec_id = parts.front()->planned.spec_id;
  std::vector<Plan> plans;
  for (const auto& part : parts) plans.push_back(part->planned.plan);
  joined.planned.plan = Joined(joined.planned.canonical.graph, plans);
  for (const KernelPlan& kernel : joined.planned.plan.kernels) {
    for (const auto& part : parts) {
      const std::vector<KernelPlan>& kernels = part->planned.plan.kernels;
      const auto found = std::find(kernels.begin(), kernels.end(), kernel);
      if (found == kernels.end()) continue;
      const auto index = static_cast<std::size_t>(found - kernels.begin());
      joined.planned.modules.push_back(part->planned.modules[index]);
      joined.modules.push_back(part->modules[index]);
      break;
    }
  }
  joined.manifest = MakeManifest(joined.planned.canonical.graph, joined.planned.plan, CubinKeys(joined.planned));
  return joined;
}

}  // namespace gemmd
