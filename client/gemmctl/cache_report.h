// What the daemon holds and has done, for people (short, aligned) and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/reports.h"

namespace gemmd {

// `now` is what ages are told from.
std::string TextOf(const std::vector<HeldKernelReport>& kernels, absl::Time now);
std::string TextOf(const CacheReport& report, absl::Time now);
std::string TextOf(const CacheEntryReport& entry, absl::Time now);
std::string TextOf(const PurgeReport& report, absl::Time now);
std::string TextOf(const StatsReport& report, absl::Time now);
std::string TextOf(const std::vector<QuarantinedKernelReport>& kernels, absl::Time now);
std::string TextOf(const ReleaseReport& report, absl::Time now);

// Full ids; times of day in RFC 3339, UTC.
nlohmann::ordered_json JsonOf(const std::vector<HeldKernelReport>& kernels);
nlohmann::ordered_json JsonOf(const CacheReport& report);
nlohmann::ordered_json JsonOf(const CacheEntryReport& entry);
nlohmann::ordered_json JsonOf(const PurgeReport& report);
nlohmann::ordered_json JsonOf(const StatsReport& report);
nlohmann::ordered_json JsonOf(const std::vector<QuarantinedKernelReport>& kernels);
nlohmann::ordered_json JsonOf(const ReleaseReport& report);

}  // namespace gemmd
