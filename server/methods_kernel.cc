#include <google/protobuf/util/field_mask_util.h>

#include "base/status.h"
#include "server/call_log.h"
#include "server/compile_response.h"
#include "server/proto_convert.h"
#include "server/service.h"

namespace gemmd {
namespace {

absl::Status CompileInto(KernelService& kernels, const v1::CompileRequest& request, absl::Time deadline,
                         CallRecord& record, v1::CompileResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const KernelSpec spec, ReadValidSpec(request.spec(), kernels.stages()));
  GEMMD_ASSIGN_OR_RETURN(const CompileOutcome outcome, kernels.Compile(spec, FromProto(request.target()), deadline));
  Describe(outcome, record);
  response = ToProto(outcome, record.elapsed());
  return absl::OkStatus();
}

// The manifest, with the names of the request's spec if it has one.
absl::StatusOr<Manifest> ManifestFor(const KernelService& kernels, const CompiledSpec& compiled,
                                     const v1::GetKernelRequest& request) {
  if (!request.has_spec()) return compiled.manifest;
  GEMMD_ASSIGN_OR_RETURN(const KernelSpec spec, ReadValidSpec(request.spec(), kernels.stages()));
  const CanonicalSpec canonical = Canonicalize(spec);
  if (canonical.graph != compiled.planned.canonical.graph) {
    return InvalidArgument("spec: not the spec of plan {}; its spec_id is {}, the plan's {}", request.plan_id(),
                           SpecId(canonical.graph), compiled.planned.spec_id);
  }
  return WithNames(compiled.manifest, canonical.bindings);
}

absl::Status KernelInto(const KernelService& kernels, const v1::GetKernelRequest& request, CallRecord& record,
                        v1::Kernel& response) {
  using google::protobuf::util::FieldMaskUtil;
  if (!FieldMaskUtil::IsValidFieldMask<v1::Kernel>(request.fields())) {
    return InvalidArgument("fields: {} is not a list of manifest, source and cubin",
                           FieldMaskUtil::ToString(request.fields()));
  }
  GEMMD_ASSIGN_OR_RETURN(const auto compiled, kernels.Find(request.plan_id()));
  record.spec_id = compiled->planned.spec_id;
  const auto wants = [&](const char* field) {
    return request.fields().paths().empty() || FieldMaskUtil::IsPathInFieldMask(field, request.fields());
  };
  if (wants("manifest")) {
    GEMMD_ASSIGN_OR_RETURN(const Manifest manifest, ManifestFor(kernels, *compiled, request));
    response.set_manifest(ManifestToJson(manifest));
  }
  for (const PlannedModule& module : compiled->planned.modules) {
    if (wants("source")) response.add_source(module.generated.source);
  }
  for (const CompiledModule& module : compiled->modules) {
    if (wants("cubin")) response.add_cubin(*module.cubin);
  }
  return absl::OkStatus();
}

}  // namespace

grpc::Status GemmdService::Compile(grpc::ServerContext* context, const v1::CompileRequest* request,
                                   v1::CompileResponse* response) {
  CallRecord record(sinks_, "Compile", *context);
  return record.Finish(CompileInto(*kernels_, *request, DeadlineOf(*context), record, *response));
}

grpc::Status GemmdService::GetKernel(grpc::ServerContext* context, const v1::GetKernelRequest* request,
                                     v1::Kernel* response) {
  CallRecord record(sinks_, "GetKernel", *context);
  return record.Finish(KernelInto(*kernels_, *request, record, *response));
}

}  // namespace gemmd
