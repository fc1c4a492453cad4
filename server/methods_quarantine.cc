#include "base/status.h"
#include "server/call_log.h"
#include "server/service.h"

namespace gemmd {
namespace {

v1::QuarantinedKernel ToProto(const QuarantinedKernel& kernel, const KernelService& kernels) {
  v1::QuarantinedKernel message;
  message.set_plan_id(kernel.plan_id);
  message.set_device(kernel.device);
  message.set_faults(kernel.faults);
  message.set_last_fault(kernel.last_fault);
  message.set_since_unix_ms(absl::ToUnixMillis(kernel.since));
  message.set_refused(kernel.refused);
  if (const auto compiled = kernels.Find(kernel.plan_id); compiled.ok()) {
    message.set_spec_id((*compiled)->manifest.spec_id);
    message.set_summary(Summary((*compiled)->planned.canonical.graph));
  }
  return message;
}

absl::StatusOr<int> ReleaseSelected(KernelQuarantine& quarantine, const v1::ReleaseQuarantineRequest& request) {
  switch (request.selection_case()) {
    case v1::ReleaseQuarantineRequest::kPlanId:
      return quarantine.Release(request.plan_id());
    case v1::ReleaseQuarantineRequest::kAll:
      if (request.all()) return quarantine.ReleaseAll();
      break;
    case v1::ReleaseQuarantineRequest::SELECTION_NOT_SET:
      break;
  }
  return InvalidArgument("selection: found nothing, expected a plan_id or all");
}

absl::Status ReleaseInto(KernelQuarantine& quarantine, const v1::ReleaseQuarantineRequest& request,
                         v1::ReleaseQuarantineResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const int released, ReleaseSelected(quarantine, request));
  response.set_released(released);
  return absl::OkStatus();
}

}  // namespace

grpc::Status GemmdService::ListQuarantine(grpc::ServerContext* context, const v1::ListQuarantineRequest*,
                                          v1::ListQuarantineResponse* response) {
  CallRecord record(sinks_, "ListQuarantine", *context);
  for (const QuarantinedKernel& kernel : kernels_->quarantine().List()) {
    *response->add_kernels() = ToProto(kernel, *kernels_);
  }
  return record.Finish(absl::OkStatus());
}

grpc::Status GemmdService::ReleaseQuarantine(grpc::ServerContext* context, const v1::ReleaseQuarantineRequest* request,
                                             v1::ReleaseQuarantineResponse* response) {
  CallRecord record(sinks_, "ReleaseQuarantine", *context);
  return record.Finish(ReleaseInto(kernels_->quarantine(), *request, *response));
}

}  // namespace gemmd
