#include "server/compile_response.h"

#include <algorithm>

#include "server/proto_convert.h"

namespace gemmd {

v1::CompileResponse ToProto(const CompileOutcome& outcome, absl::Duration elapsed) {
  const PlannedSpec& planned = outcome.compiled->planned;
  v1::CompileResponse response;
  response.set_spec_id(planned.spec_id);
  response.set_plan_id(planned.plan.plan_id);
  for (const PlannedModule& module : planned.modules) response.add_cubin_keys(module.cubin_key);
  response.set_arch(Name(planned.plan.arch));
  response.set_cache_tier(std::string(Name(outcome.tier)));
  response.set_uncompiled(outcome.uncompiled);
  response.set_elapsed_us(absl::ToInt64Microseconds(elapsed));
  for (const CompiledModule& module : outcome.compiled->modules) {
    response.set_compile_us(response.compile_us() + module.compile_us);
    response.set_cubin_bytes(response.cubin_bytes() + static_cast<std::int64_t>(module.cubin->size()));
    for (const ResourceUsage& usage : module.usage) {
      response.set_registers(std::max(response.registers(), usage.registers));
      response.set_spill_bytes(response.spill_bytes() + usage.spill_store_bytes + usage.spill_load_bytes);
    }
  }
  for (const KernelPlan& kernel : planned.plan.kernels) *response.add_kernels() = ToProto(kernel.config);
  for (const PlanVariant& variant : planned.plan.variants) *response.add_variants() = ToProto(variant);
  for (const std::string& reason : planned.plan.reasons) response.add_reasons(reason);
  return response;
}

void Describe(const CompileOutcome& outcome, CallRecord& record) {
  record.spec_id = outcome.compiled->planned.spec_id;
  record.tier = Name(outcome.tier);
}

}  // namespace gemmd
