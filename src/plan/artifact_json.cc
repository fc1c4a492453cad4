#include "plan/artifact_json.h"

#include <bit>

#include "base/status.h"

namespace gemmd {

using nlohmann::json;

json ArtifactReader::Parse(std::string_view text) {
  json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) Fail("the text");
  return root;
}

void ArtifactReader::Fail(std::string_view field) {
  if (status_.ok()) status_ = DataLoss("{}: {} is missing or damaged", artifact_, field);
}

const json& ArtifactReader::Get(const json& object, const char* field) {
  if (object.is_object()) {
    const auto found = object.find(field);
    if (found != object.end()) return *found;
  }
  Fail(field);
  return null_;
}

std::int64_t ArtifactReader::Integer(const json& object, const char* field, std::int64_t minimum,
                                     std::int64_t maximum) {
  const json& value = Get(object, field);
  const bool fits =
      value.is_number_unsigned()
          ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
          : value.is_number_integer();
  if (fits) {
    const auto integer = value.get<std::int64_t>();
    if (integer >= minimum && integer <= maximum) return integer;
  }
  Fail(field);
  return 0;
}

int ArtifactReader::Int(const json& object, const char* field, int minimum, int maximum) {
  return static_cast<int>(Integer(object, field, minimum, maximum));
}

std::optional<std::int64_t> ArtifactReader::OptionalInteger(const json& object, const char* field) {
  if (Get(object, field).is_null()) return std::nullopt;
  return Integer(object, field);
}

std::optional<float> ArtifactReader::OptionalFloat(const json& object, const char* field) {
  if (Get(object, field).is_null()) return std::nullopt;
  return Float(object, field);
}

float ArtifactReader::Float(const json& object, const char* field) {
  const json& value = Get(object, field);
  if (!value.is_number()) {
    Fail(field);
    return 0;
  }
  return value.get<float>();
}

std::vector<float> ArtifactReader::FloatBits(const json& object, const char* field) {
  std::vector<float> numbers;
  for (const json& bits : List(object, field)) {
    if (!bits.is_number_unsigned() || bits.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max()) {
      Fail(field);
      return {};
    }
    numbers.push_back(std::bit_cast<float>(bits.get<std::uint32_t>()));
  }
  return numbers;
}

bool ArtifactReader::Bool(const json& object, const char* field) {
  const json& value = Get(object, field);
  if (!value.is_boolean()) {
    Fail(field);
    return false;
  }
  return value.get<bool>();
}

std::string ArtifactReader::Text(const json& object, const char* field) {
  const json& value = Get(object, field);
  if (!value.is_string()) {
    Fail(field);
    return "";
  }
  return value.get<std::string>();
}

const json& ArtifactReader::List(const json& object, const char* field) {
  const json& value = Get(object, field);
  if (value.is_array()) return value;
  Fail(field);
  return empty_list_;
}

const json& ArtifactReader::Object(const json& object, const char* field) {
  const json& value = Get(object, field);
  if (!value.is_object()) Fail(field);
  return value;
}

}  // namespace gemmd
