#include "spec/json_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace gemmd {
namespace {

using nlohmann::json;

// Receives nlohmann's SAX events, whose names it must bear. An event that answers false ends the parse.
class DocumentBuilder : public nlohmann::json_sax<json> {
 public:
  DocumentBuilder(std::string_view text, std::vector<Diagnostic>& diagnostics)
      : text_(text), diagnostics_(diagnostics) {}

  json Take() { return std::move(root_); }

  bool null() override { return Insert(nullptr) != nullptr; }
  bool boolean(bool value) override { return Insert(value) != nullptr; }
  bool number_integer(json::number_integer_t value) override { return Insert(value) != nullptr; }
  bool number_unsigned(json::number_unsigned_t value) override { return Insert(value) != nullptr; }
  bool number_float(json::number_float_t value, const std::string&) override { return Insert(value) != nullptr; }
  bool string(std::string& value) override { return Insert(std::move(value)) != nullptr; }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Enter(json::object()); }
  bool start_array(std::size_t) override { return Enter(json::array()); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }

  bool key(std::string& name) override {
    Level& level = levels_.back();
    level.field = std::move(name);
    if (level.node->contains(level.field)) {
      diagnostics_.push_back(
          {FieldPlace(ContainerPlace(), level.field), Quote(level.field), "the only field of its name", "", false});
    }
    return true;
  }

  // `position` counts the bytes up to and with the one that is wrong.
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    const std::string_view read = text_.substr(0, position);
    const auto line = std::count(read.begin(), read.end(), '\n') + 1;
    const std::size_t column = read.size() - (read.rfind('\n') + 1);
    const std::string found =
        position > text_.size() ? "the end" : Quote(read.substr(read.empty() ? 0 : read.size() - 1));
    diagnostics_.push_back({std::string(kWholeSpec), fmt::format("{} at line {}, column {}", found, line, column),
                            "valid JSON there", "", false});
    return false;
  }

 private:
  struct Level {
    json* node;
    std::string field;  // of an object: the one being read
  };

  // Of the innermost list or object.
  std::string ContainerPlace() const {
    std::string place(kWholeSpec);
    for (std::size_t i = 0; i + 1 < levels_.size(); ++i) {
      const Level& level = levels_[i];
      place = level.node->is_array() ? ElementPlace(place, level.node->size() - 1) : FieldPlace(place, level.field);
    }
    return place;
  }

  // Null where the parse must end.
  json* Insert(json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.node->size() >= kMaxJsonEntries) {
      Refuse(fmt::format("more than {} entries", kMaxJsonEntries), "a list or object of bounded size");
      return nullptr;
    }
    if (level.node->is_array()) {
      level.node->push_back(std::move(value));
      return &level.node->back();
    }
    json& slot = (*level.node)[level.field];
    slot = std::move(value);
    return &slot;
  }

  bool Enter(json container) {
    if (levels_.size() >= kMaxJsonDepth) {
      Refuse(fmt::format("nesting over {} levels", kMaxJsonDepth), "a spec's structure");
      return false;
    }
    json* node = Insert(std::move(container));
    if (node == nullptr) return false;
    levels_.push_back({node, ""});
    return true;
  }

  bool Leave() {
    levels_.pop_back();
    return true;
  }

  void Refuse(std::string found, std::string expected) {
    diagnostics_.push_back({ContainerPlace(), std::move(found), std::move(expected), "", false});
  }

  std::string_view text_;
  std::vector<Diagnostic>& diagnostics_;
  json root_;
  std::vector<Level> levels_;
};

}  // namespace

std::optional<json> ReadJsonDocument(std::string_view text, std::vector<Diagnostic>& diagnostics) {
  if (text.size() > kMaxSpecBytes) {
    diagnostics.push_back({std::string(kWholeSpec), fmt::format("a text of {} bytes", text.size()),
                           fmt::format("at most {} bytes", kMaxSpecBytes), "", false});
    return std::nullopt;
  }
  DocumentBuilder builder(text, diagnostics);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  return builder.Take();
}

}  // namespace gemmd
