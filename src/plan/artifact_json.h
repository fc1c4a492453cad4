// Checked reads of JSON that gemmd itself wrote: anything unexpected is damage, reported once.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gemmd {

// The first failure stays and later reads answer defaults, so that a reader checks once, at its end.
class ArtifactReader {
 public:
  // `artifact` names what is read in the error: "manifest".
  explicit ArtifactReader(std::string_view artifact) : artifact_(artifact) {}

  nlohmann::json Parse(std::string_view text);

  std::int64_t Integer(const nlohmann::json& object, const char* field,
                       std::int64_t minimum = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t maximum = std::numeric_limits<std::int64_t>::max());
  int Int(const nlohmann::json& object, const char* field, int minimum = std::numeric_limits<int>::min(),
          int maximum = std::numeric_limits<int>::max());
  std::optional<std::int64_t> OptionalInteger(const nlohmann::json& object, const char* field);  // null: absent
  std::optional<float> OptionalFloat(const nlohmann::json& object, const char* field);           // null: absent
  float Float(const nlohmann::json& object, const char* field);
  std::vector<float> FloatBits(const nlohmann::json& object, const char* field);  // a list of 32-bit patterns
  bool Bool(const nlohmann::json& object, const char* field);
  std::string Text(const nlohmann::json& object, const char* field);
  const nlohmann::json& List(const nlohmann::json& object, const char* field);
  const nlohmann::json& Object(const nlohmann::json& object, const char* field);

  // A name that `parse` understands.
  template <typename T, typename Parse>
  T Named(const nlohmann::json& object, const char* field, Parse parse) {
    const auto value = parse(Text(object, field));
    if (!value) {
      Fail(field);
      return T{};
    }
    return *value;
  }

  void Fail(std::string_view field);
  const absl::Status& status() const { return status_; }  // OK or DataLoss

 private:
  // Null, after a failure, where the field is absent.
  const nlohmann::json& Get(const nlohmann::json& object, const char* field);

  std::string artifact_;
  absl::Status status_;
  nlohmann::json null_;
  nlohmann::json empty_list_ = nlohmann::json::array();
};

}  // namespace gemmd
