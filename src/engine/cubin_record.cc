#include "engine/cubin_record.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/status.h"

namespace gemmd {
namespace {

using Json = nlohmann::ordered_json;

// The member `name` when it is there and of the right type. A JSON library's own getters throw; this does not.
std::optional<std::string> TextOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<std::int64_t> NumberOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}

std::optional<Verified> VerifiedFromName(std::string_view name) {
  if (name == Name(Verified::kUnverified)) return Verified::kUnverified;
  if (name == Name(Verified::kVerified)) return Verified::kVerified;
  return std::nullopt;
}

std::optional<ResourceUsage> UsageFromJson(const Json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto entry = TextOf(object, "entry");
  const auto registers = NumberOf(object, "registers");
  const auto stores = NumberOf(object, "spill_store_bytes");
  const auto loads = NumberOf(object, "spill_load_bytes");
  const auto shared = NumberOf(object, "static_shared_bytes");
  if (!entry || !registers || !stores || !loads || !shared) return std::nullopt;
  return ResourceUsage{.entry = *entry,
                       .registers = static_cast<int>(*registers),
                       .spill_store_bytes = *stores,
                       .spill_load_bytes = *loads,
                       .static_shared_bytes = *shared};
}

}  // namespace

std::string_view Name(Verified verified) {
  switch (verified) {
    case Verified::kUnverified:
      return "unverified";
    case Verified::kVerified:
      return "verified";
  }
  return "";
}

std::string RecordToJson(const CubinRecord& record) {
  Json usage = Json::array();
  for (const ResourceUsage& kernel : record.usage) {
    usage.push_back({{"entry", kernel.entry},
                     {"registers", kernel.registers},
                     {"spill_store_bytes", kernel.spill_store_bytes},
                     {"spill_load_bytes", kernel.spill_load_bytes},
                     {"static_shared_bytes", kernel.static_shared_bytes}});
  }
  const Json object = {{"arch", record.arch},       {"spec_id", record.spec_id},   {"plan_id", record.plan_id},
                       {"summary", record.summary}, {"schedule", record.schedule}, {"compile_us", record.compile_us},
                       {"usage", std::move(usage)}, {"log", record.log},           {"verified", Name(record.verified)}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<CubinRecord> RecordFromJson(std::string_view text) {
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return DataLoss("cubin record: not a JSON object");
  const auto arch = TextOf(object, "arch");
  const auto spec_id = TextOf(object, "spec_id");
  const auto plan_id = TextOf(object, "plan_id");
  const auto summary = TextOf(object, "summary");
  const auto schedule = TextOf(object, "schedule");
  const auto compile_us = NumberOf(object, "compile_us");
  const auto log = TextOf(object, "log");
  const auto verified_name = TextOf(object, "verified");
  const auto verified = verified_name ? VerifiedFromName(*verified_name) : std::nullopt;
  const auto usage = object.find("usage");
  const bool is_named = spec_id && plan_id && summary && schedule;
  if (!arch || !is_named || !compile_us || !log || !verified || usage == object.end() || !usage->is_array()) {
    return DataLoss("cubin record: a field is missing or of another type");
  }
  CubinRecord record{.arch = *arch,
                     .spec_id = *spec_id,
                     .plan_id = *plan_id,
                     .summary = *summary,
                     .schedule = *schedule,
                     .compile_us = *compile_us,
                     .usage = {},
                     .log = *log,
                     .verified = *verified};
  for (const Json& kernel : *usage) {
    const auto read = UsageFromJson(kernel);
    if (!read) return DataLoss("cubin record: malformed usage");
    record.usage.push_back(*read);
  }
  return record;
}

}  // namespace gemmd
