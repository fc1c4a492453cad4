// Typed reads of one JSON object's fields; whatever is wrong becomes a diagnostic with its place.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/diagnostic.h"

namespace gemmd {

// What a value is, for people: "\"resid\"", "a list", "12", "null".
std::string Describe(const nlohmann::json& value);

// The Read functions leave their target alone where the field is absent or wrong. The reader must not outlive `value`.
class ObjectReader {
 public:
  // `kind` names what is read: "a spec", "an operation".
  ObjectReader(const nlohmann::json& value, std::string place, std::string kind, std::vector<Diagnostic>& diagnostics);

  std::string PlaceOf(std::string_view field) const { return FieldPlace(place_, field); }

  const nlohmann::json* Find(const std::string& field);  // null where absent
  const nlohmann::json* Require(const std::string& field, std::string_view expected);
  const nlohmann::json* FindObject(const std::string& field);
  const nlohmann::json* FindList(const std::string& field);

  void ReadText(const std::string& field, std::string& target);
  void ReadIdentifier(const std::string& field, std::string& target);
  void ReadBool(const std::string& field, bool& target);
  void ReadNumber(const std::string& field, std::optional<double>& target);
  void ReadInteger(const std::string& field, std::optional<std::int64_t>& target);

  // A name out of a closed set, and what `parse` makes of it.
  template <typename Parse, typename T>
  void ReadName(const std::string& field, std::string_view expected, const std::vector<std::string>& names, Parse parse,
                T& target) {
    const nlohmann::json* value = Find(field);
    if (value == nullptr) return;
    const std::string name = value->is_string() ? value->get<std::string>() : "";
    if (auto parsed = parse(name); parsed && value->is_string()) {
      target = *parsed;
    } else {
      Report(field, Describe(*value), expected, Nearest(name, names));
    }
  }

  // Reports every field that nothing has asked for.
  void Finish();

 private:
  void Report(std::string_view field, std::string found, std::string_view expected, std::string suggestion = "");

  const nlohmann::json& value_;
  std::string place_;
  std::string kind_;
  std::vector<Diagnostic>& diagnostics_;
  std::vector<std::string> known_;
};

// Signed 64 bits; nothing for a fraction, another type or a larger number.
std::optional<std::int64_t> IntegerOf(const nlohmann::json& value);

}  // namespace gemmd
