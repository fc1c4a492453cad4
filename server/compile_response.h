// The answer to a compile, which a run and a launch carry too.
#pragma once

#include "absl/time/time.h"
#include "engine/kernel_service.h"
#include "gemmd/v1/service.pb.h"
#include "server/call_log.h"

namespace gemmd {

// `elapsed` is the time that this call took for it.
v1::CompileResponse ToProto(const CompileOutcome& outcome, absl::Duration elapsed);

void Describe(const CompileOutcome& outcome, CallRecord& record);

}  // namespace gemmd
