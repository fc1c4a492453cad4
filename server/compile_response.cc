#include "server/compile_response.h"

#include <algorithm>

#include "server/proto_convert.h"

namespace gemmd {

v1::CompileResponse ToProto(const CompileOutcome& outcome, absl::Duration elapsed) {
  const CompiledKernel& kernel = *outcome.kernel;
  v1::CompileResponse response;
  response.set_spec_id(kernel.planned.spec_id);
  response.set_plan_id(kernel.planned.plan.plan_id);
  response.set_cubin_key(kernel.planned.cubin_key);
  response.set_arch(Name(kernel.planned.plan.arch));
  response.set_cache_tier(std::string(Name(outcome.tier)));
  response.set_uncompiled(outcome.uncompiled);
  response.set_compile_us(kernel.compile_us);
  response.set_elapsed_us(absl::ToInt64Microseconds(elapsed));
  response.set_cubin_bytes(static_cast<std::int64_t>(kernel.cubin->size()));
  for (const ResourceUsage& usage : kernel.usage) {
    response.set_registers(std::max(response.registers(), usage.registers));
    response.set_spill_bytes(response.spill_bytes() + usage.spill_store_bytes + usage.spill_load_bytes);
  }
  for (const KernelPlan& planned : kernel.planned.plan.kernels) *response.add_kernels() = ToProto(planned.config);
  for (const std::string& reason : kernel.planned.plan.reasons) response.add_reasons(reason);
  return response;
}

void Describe(const CompileOutcome& outcome, CallRecord& record) {
  record.spec_id = outcome.kernel->planned.spec_id;
  record.tier = Name(outcome.tier);
}

}  // namespace gemmd
