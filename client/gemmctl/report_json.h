// The daemon's answers for programs.
#pragma once

#include <nlohmann/json.hpp>

#include "client/reports.h"
#include "client/verify/verify.h"
#include "spec/diagnostic.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// Full ids; times in microseconds. A number that is not finite becomes a string ("nan", "inf").
nlohmann::ordered_json JsonOf(const PlanReport& report);
nlohmann::ordered_json JsonOf(const CompileReport& report);
nlohmann::ordered_json JsonOf(const DevicesReport& report);
nlohmann::ordered_json JsonOf(const RunReport& report, const GemmShape& shape);
nlohmann::ordered_json JsonOf(const VerifyReport& report);
nlohmann::ordered_json JsonOf(const Diagnostic& diagnostic);

}  // namespace gemmd
