#include "spec/object_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace gemmd {
namespace {

const nlohmann::json& EmptyObject() {
  static const nlohmann::json empty = nlohmann::json::object();
  return empty;
}

}  // namespace

std::string Describe(const nlohmann::json& value) {
  if (value.is_string()) return Quote(value.get_ref<const std::string&>());
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return value.dump();
}

std::optional<std::int64_t> IntegerOf(const nlohmann::json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  return std::nullopt;
}

ObjectReader::ObjectReader(const nlohmann::json& value, std::string place, std::string kind,
                           std::vector<Diagnostic>& diagnostics)
    : value_(value.is_object() ? value : EmptyObject()),
      place_(std::move(place)),
      kind_(std::move(kind)),
      diagnostics_(diagnostics) {
  if (!value.is_object()) diagnostics_.push_back({place_, Describe(value), "an object: " + kind_, "", false});
}

void ObjectReader::Report(std::string_view field, std::string found, std::string_view expected,
                          std::string suggestion) {
  diagnostics_.push_back({PlaceOf(field), std::move(found), std::string(expected), std::move(suggestion), false});
}

const nlohmann::json* ObjectReader::Find(const std::string& field) {
  known_.push_back(field);
  const auto found = value_.find(field);
  return found == value_.end() ? nullptr : &*found;
}

const nlohmann::json* ObjectReader::Require(const std::string& field, std::string_view expected) {
  const nlohmann::json* value = Find(field);
  if (value == nullptr) Report(field, "", expected);
  return value;
}

const nlohmann::json* ObjectReader::FindObject(const std::string& field) {
  const nlohmann::json* value = Find(field);
  if (value == nullptr || value->is_object()) return value;
  Report(field, Describe(*value), "an object");
  return nullptr;
}

const nlohmann::json* ObjectReader::FindList(const std::string& field) {
  const nlohmann::json* value = Find(field);
  if (value == nullptr || value->is_array()) return value;
  Report(field, Describe(*value), "a list");
  return nullptr;
}

void ObjectReader::ReadText(const std::string& field, std::string& target) {
  const nlohmann::json* value = Find(field);
  if (value == nullptr) return;
  if (value->is_string()) {
    target = value->get<std::string>();
  } else {
    Report(field, Describe(*value), "a string");
  }
}

void ObjectReader::ReadIdentifier(const std::string& field, std::string& target) {
  const nlohmann::json* value = Find(field);
  if (value == nullptr) return;
  if (value->is_string() && IsIdentifier(value->get_ref<const std::string&>())) {
    target = value->get<std::string>();
  } else {
    Report(field, Describe(*value), "an identifier");
  }
}

void ObjectReader::ReadBool(const std::string& field, bool& target) {
  const nlohmann::json* value = Find(field);
  if (value == nullptr) return;
  if (value->is_boolean()) {
    target = value->get<bool>();
  } else {
    Report(field, Describe(*value), "true or false");
  }
}

void ObjectReader::ReadNumber(const std::string& field, std::optional<double>& target) {
  const nlohmann::json* value = Find(field);
  if (value == nullptr) return;
  if (value->is_number()) {
    target = value->get<double>();
  } else {
    Report(field, Describe(*value), "a number");
  }
}

void ObjectReader::ReadInteger(const std::string& field, std::optional<std::int64_t>& target) {
  const nlohmann::json* value = Find(field);
  if (value == nullptr) return;
  if (const auto integer = IntegerOf(*value)) {
    target = *integer;
  } else {
    Report(field, Describe(*value), "an integer");
  }
}

void ObjectReader::Finish() {
  for (const auto& [field, unused] : value_.items()) {
    if (std::find(known_.begin(), known_.end(), field) != known_.end()) continue;
    Report(field, Quote(field), "a field of " + kind_, Nearest(field, known_));
  }
}

}  // namespace gemmd
