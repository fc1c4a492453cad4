#include "base/status.h"
#include "server/call_log.h"
#include "server/proto_convert.h"
#include "server/service.h"

namespace gemmd {
namespace {

absl::Status PlanInto(const KernelService& kernels, const v1::PlanRequest& request, CallRecord& record,
                      v1::PlanResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const KernelSpec spec, ReadValidSpec(request.spec(), kernels.stages()));
  GEMMD_ASSIGN_OR_RETURN(const PlannedSpec planned, kernels.Plan(spec, FromProto(request.target())));
  record.spec_id = planned.spec_id;
  response.set_spec_id(planned.spec_id);
  response.set_plan_id(planned.plan.plan_id);
  for (const PlannedModule& module : planned.modules) {
    response.add_cubin_keys(module.cubin_key);
    response.add_sources(module.generated.source);
  }
  response.set_arch(Name(planned.plan.arch));
  response.set_summary(Summary(planned.canonical.graph));
  for (const KernelPlan& kernel : planned.plan.kernels) *response.add_kernels() = ToProto(kernel.config);
  for (const PlanVariant& variant : planned.plan.variants) *response.add_variants() = ToProto(variant);
  for (const std::string& reason : planned.plan.reasons) response.add_reasons(reason);
  return absl::OkStatus();
}

absl::Status ExplainInto(const KernelService& kernels, const v1::ExplainRequest& request, CallRecord& record,
                         v1::ExplainResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const KernelSpec spec, ReadValidSpec(request.spec(), kernels.stages()));
  record.spec_id = SpecId(Canonicalize(spec).graph);
  GEMMD_ASSIGN_OR_RETURN(
      const PlanExplanation explanation,
      kernels.Explain(spec, FromProto(request.target()), {request.dims().begin(), request.dims().end()}));
  const PlanFacts& facts = explanation.facts;
  response.set_m(facts.shape.m);
  response.set_n(facts.shape.n);
  response.set_k(facts.shape.k);
  response.set_dtype(std::string(Name(facts.factors)));
  response.set_flop(facts.flop);
  response.set_factor_bytes(facts.factor_bytes);
  response.set_operand_bytes(facts.operand_bytes);
  response.set_output_bytes(facts.output_bytes);
  response.set_waits_for_memory(facts.waits_for_memory);
  for (const RowReductionFact& reduction : facts.row_reductions) {
    v1::RowReduction& message = *response.add_row_reductions();
    message.set_op(std::string(Traits(reduction.kind).name));
    message.set_width(reduction.width);
  }
  response.set_m_min(explanation.m.min);
  response.set_m_max(explanation.m.max);
  for (const ExplainedConfig& config : explanation.ranking) {
    v1::RankedConfig& message = *response.add_ranking();
    *message.mutable_kernel() = ToProto(config.config);
    message.set_schedule(ScheduleOf(config.config));
    message.set_predicted_cycles(config.predicted_cycles);
    message.set_measured_us(static_cast<double>(config.measured_ns) / 1000);
  }
  return absl::OkStatus();
}

}  // namespace

grpc::Status GemmdService::Explain(grpc::ServerContext* context, const v1::ExplainRequest* request,
                                   v1::ExplainResponse* response) {
  CallRecord record(sinks_, "Explain", *context);
  return record.Finish(ExplainInto(*kernels_, *request, record, *response));
}

grpc::Status GemmdService::Validate(grpc::ServerContext* context, const v1::ValidateRequest* request,
                                    v1::ValidateResponse* response) {
  CallRecord record(sinks_, "Validate", *context);
  const ParsedSpec parsed = ReadSpec(request->spec(), kernels_->stages());
  for (const Diagnostic& diagnostic : parsed.diagnostics) *response->add_errors() = ToProto(diagnostic);
  if (parsed.diagnostics.empty()) {
    record.spec_id = SpecId(Canonicalize(parsed.spec).graph);
    response->set_spec_id(record.spec_id);
  }
  return record.Finish(absl::OkStatus());
}

grpc::Status GemmdService::Plan(grpc::ServerContext* context, const v1::PlanRequest* request,
                                v1::PlanResponse* response) {
  CallRecord record(sinks_, "Plan", *context);
  return record.Finish(PlanInto(*kernels_, *request, record, *response));
}

}  // namespace gemmd
