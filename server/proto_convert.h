// Protobuf messages to and from the project's own values. Proto types go no further in than this.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kernel_service.h"
#include "gemmd/v1/service.pb.h"
#include "proto/dtype_convert.h"
#include "spec/diagnostic.h"
#include "spec/kernel_spec.h"
#include "spec/spec_json.h"

namespace gemmd {

// Like ReadSpecJson: whatever can't be read becomes a diagnostic; the spec may still be illegal.
ParsedSpec ReadSpecProto(const v1::KernelSpec& message);

// Every error of a spec in either spelling, semantics included; empty when it is legal. Recorded as validation.
ParsedSpec ReadSpec(const v1::SpecSource& source, StageTimes& times);

// A legal spec. Errors: InvalidArgument or Unimplemented with every diagnostic, a line each.
absl::StatusOr<KernelSpec> ReadValidSpec(const v1::SpecSource& source, StageTimes& times);

v1::SpecError ToProto(const Diagnostic& diagnostic);
v1::DeviceDescription ToProto(const DeviceInfo& info);
v1::PlannedKernel ToProto(const KernelConfig& config);
v1::PlannedVariant ToProto(const PlanVariant& variant);
KernelTarget FromProto(const v1::Target& target);

}  // namespace gemmd
