#include "tune/tuning_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/status.h"
#include "plan/artifact_json.h"

namespace gemmd {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

std::optional<Packing> PackingFromName(std::string_view name) {
  for (const Packing packing : {Packing::kNone, Packing::kA, Packing::kB, Packing::kBoth}) {
    if (Name(packing) == name) return packing;
  }
  return std::nullopt;
}

std::optional<RowSchedule> RowScheduleFromName(std::string_view name) {
  for (const RowSchedule rows : {RowSchedule::kNone, RowSchedule::kTwoKernels, RowSchedule::kBarrier}) {
    if (Name(rows) == name) return rows;
  }
  return std::nullopt;
}

// The numbers of a config, by name. What they may be together is for CheckConfig to say; that it can ask is seen here.
constexpr int kMostOfANumber = 1024;
struct Number {
  const char* name;
  int KernelConfig::*member;
  int least = 1;
};
constexpr Number kNumbers[] = {{"tile_m", &KernelConfig::tile_m},       {"tile_n", &KernelConfig::tile_n},
                               {"tile_k", &KernelConfig::tile_k},       {"micro_m", &KernelConfig::micro_m},
                               {"micro_n", &KernelConfig::micro_n},     {"stages", &KernelConfig::stages},
                               {"group_m", &KernelConfig::group_m},     {"subtile_n", &KernelConfig::subtile_n, 0},
                               {"cell_n", &KernelConfig::cell_n, 0},    {"slices_k", &KernelConfig::slices_k},
                               {"cluster_k", &KernelConfig::cluster_k}, {"clusters_k", &KernelConfig::clusters_k},
                               {"threads", &KernelConfig::threads}};

json ConfigToJson(const KernelConfig& config) {
  json object = {{"family", Name(config.family)},
                 {"packing", Name(config.packing)},
                 {"rows", Name(config.rows)},
                 {"shared_bytes", config.shared_bytes}};
  for (const Number& number : kNumbers) object[number.name] = config.*number.member;
  return object;
}

KernelConfig ReadConfig(ArtifactReader& reader, const json& object) {
  KernelConfig config;
  config.family = reader.Named<Family>(object, "family", FamilyFromName);
  config.packing = reader.Named<Packing>(object, "packing", PackingFromName);
  config.rows = reader.Named<RowSchedule>(object, "rows", RowScheduleFromName);
  config.shared_bytes = reader.Integer(object, "shared_bytes", 0);
  for (const Number& number : kNumbers) {
    config.*number.member = reader.Int(object, number.name, number.least, kMostOfANumber);
  }
  return config;
}

json RecordToJson(const TuningRecord& record) {
  const TuningKey& key = record.key;
  return {{"spec_id", key.spec_id},
          {"promises", key.promises},
          {"m_min", key.m.min},
          {"m_max", key.m.max},
          {"device", key.device.name},
          {"driver", key.device.driver},
          {"device_library", key.device_library},
          {"config", ConfigToJson(record.config)},
          {"first_pick", ConfigToJson(record.first_pick)},
          {"time_ns", record.time_ns},
          {"first_pick_time_ns", record.first_pick_time_ns},
          {"m", record.shape.m},
          {"n", record.shape.n},
          {"k", record.shape.k},
          {"summary", record.summary},
          {"tuned_unix_ms", absl::ToUnixMillis(record.tuned_at)}};
}

TuningRecord ReadRecord(ArtifactReader& reader, const json& object) {
  TuningRecord record;
  TuningKey& key = record.key;
  key.spec_id = reader.Text(object, "spec_id");
  key.promises = reader.Text(object, "promises");
  key.m.min = reader.Integer(object, "m_min", 0);
  key.m.max = reader.Integer(object, "m_max", key.m.min);
  key.device = {reader.Text(object, "device"), reader.Text(object, "driver")};
  key.device_library = reader.Text(object, "device_library");
  record.config = ReadConfig(reader, reader.Object(object, "config"));
  record.first_pick = ReadConfig(reader, reader.Object(object, "first_pick"));
  record.time_ns = reader.Integer(object, "time_ns", 0);
  record.first_pick_time_ns = reader.Integer(object, "first_pick_time_ns", 0);
  record.shape = {reader.Integer(object, "m", 0), reader.Integer(object, "n", 0), reader.Integer(object, "k", 0)};
  record.summary = reader.Text(object, "summary");
  record.tuned_at = absl::FromUnixMillis(reader.Integer(object, "tuned_unix_ms", 0));
  return record;
}

}  // namespace

std::string PromisesOf(const Assumptions& assumptions) {
  return fmt::format("{}>{}", fmt::join(assumptions.inputs, ","), fmt::join(assumptions.outputs, ","));
}

std::string RecordsToJson(const std::vector<TuningRecord>& records) {
  json list = json::array();
  for (const TuningRecord& record : records) list.push_back(RecordToJson(record));
  const json root = {{"version", kVersion}, {"records", std::move(list)}};
  return root.dump(1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<std::vector<TuningRecord>> RecordsFromJson(std::string_view text) {
  ArtifactReader file("tuning records");
  const json root = file.Parse(text);
  if (file.status().ok()) file.Int(root, "version", kVersion, kVersion);
  std::vector<std::string> errors;
  std::vector<TuningRecord> records;
  if (file.status().ok()) {
    for (const json& object : file.List(root, "records")) {
      ArtifactReader reader(fmt::format("records[{}]", records.size()));
      records.push_back(ReadRecord(reader, object));
      if (!reader.status().ok()) errors.emplace_back(MessageOf(reader.status()));
    }
  }
  if (!file.status().ok()) errors.emplace_back(MessageOf(file.status()));
  if (!errors.empty()) return InvalidArgument("{}", fmt::join(errors, "\n"));
  return records;
}

}  // namespace gemmd
