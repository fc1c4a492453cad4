// What plans are chosen by and searches found, for people (short, aligned) and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/time/time.h"
#include "client/reports.h"

namespace gemmd {

// Facts, then the ranking.
std::string TextOf(const ExplainReport& report);
// The first pick and the fastest ones, and the gain.
std::string TextOf(const TuneReport& report);
// `now` is what ages are told from.
std::string TextOf(const RecordsReport& report, absl::Time now);
std::string TextOf(const ImportReport& report, absl::Time now);

nlohmann::ordered_json JsonOf(const ExplainReport& report);
nlohmann::ordered_json JsonOf(const TuneReport& report);
// Without what only another daemon reads.
nlohmann::ordered_json JsonOf(const RecordsReport& report);
nlohmann::ordered_json JsonOf(const ImportReport& report);

}  // namespace gemmd
