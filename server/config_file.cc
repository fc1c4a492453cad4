#include "server/config_file.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "base/status.h"
#include "spec/diagnostic.h"

namespace gemmd {
namespace {

std::string_view Words(toml::node_type type) {
  switch (type) {
    case toml::node_type::none:
      return "nothing";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a time";
  }
  return "";
}

class Reader {
 public:
  Reader(std::string_view name, DaemonOptions& options) : name_(name), options_(options) {}

  void Read(const toml::table& table) {
    for (const auto& [key, node] : table) ReadKey(key, node);
    // A table is sorted by its keys; who mends a file goes through it line by line.
    std::sort(complaints_.begin(), complaints_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [position, complaint] : complaints_) options_.complaints.push_back(std::move(complaint));
  }

 private:
  using Position = std::pair<toml::source_index, toml::source_index>;  // line, column

  std::string Place(const toml::source_region& source) const {
    return fmt::format("{}:{}:{}", name_, source.begin.line, source.begin.column);
  }

  void Complain(std::string_view key, const toml::source_region& source, std::string_view what) {
    complaints_.push_back({{source.begin.line, source.begin.column},
                           {.key = std::string(key), .line = fmt::format("{}: {}: {}", Place(source), key, what)}});
  }

  void ReadKey(const toml::key& key, const toml::node& node) {
    const auto options = AllOptions();
    const auto found =
        std::find_if(options.begin(), options.end(), [&](const DaemonOption& row) { return row.key == key.str(); });
    if (found == options.end()) return ComplainUnknown(key);
    places_.clear();
    const bool read = std::visit([&](auto field) { return Take(found->key, node, options_.*field); }, found->field);
    if (read) options_.places.insert_or_assign(std::string(found->key), std::move(places_));
  }

  void ComplainUnknown(const toml::key& key) {
    std::vector<std::string> known;
    for (const DaemonOption& option : AllOptions()) known.emplace_back(option.key);
    const std::string near = Nearest(key.str(), known);
    Complain(Quote(key.str()), key.source(),
             near.empty() ? "is not a key" : fmt::format("is not a key; did you mean \"{}\"?", near));
  }

  // Each takes the node's value and place, or complains and is false.
  bool Take(std::string_view key, const toml::node& node, std::string& value) {
    return TakeScalar(key, node, node.value_exact<std::string>(), "a string", value);
  }
  bool Take(std::string_view key, const toml::node& node, std::int64_t& value) {
    return TakeScalar(key, node, node.value_exact<std::int64_t>(), "an integer", value);
  }
  bool Take(std::string_view key, const toml::node& node, std::vector<std::string>& value) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return Mismatch(key, node, "a list of strings");
    std::vector<std::string> taken(list->size());
    bool all = true;
    for (std::size_t i = 0; i < taken.size(); ++i) all &= Take(key, (*list)[i], taken[i]);
    if (all) value = std::move(taken);
    return all;
  }

  template <typename Value>
  bool TakeScalar(std::string_view key, const toml::node& node, std::optional<Value> found, std::string_view expected,
                  Value& value) {
    if (!found) return Mismatch(key, node, expected);
    value = *std::move(found);
    places_.push_back(Place(node.source()));
    return true;
  }

  bool Mismatch(std::string_view key, const toml::node& node, std::string_view expected) {
    Complain(key, node.source(), fmt::format("found {}, expected {}", Words(node.type()), expected));
    return false;
  }

  const std::string_view name_;
  DaemonOptions& options_;
  std::vector<std::string> places_;  // of the key that is being read
  std::vector<std::pair<Position, FileComplaint>> complaints_;
};

}  // namespace

absl::Status ReadConfigText(std::string_view text, std::string_view name, DaemonOptions& options) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const toml::source_position at = parsed.error().source().begin;
    return InvalidArgument("{}:{}:{}: {}", name, at.line, at.column, parsed.error().description());
  }
  Reader(name, options).Read(parsed.table());
  return absl::OkStatus();
}

absl::Status ReadConfigFile(const std::filesystem::path& path, DaemonOptions& options) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  const bool empty = file.peek() == std::ifstream::traits_type::eof();
  if (!empty) text << file.rdbuf();
  if (!file.is_open() || file.bad() || text.fail()) return FromErrno(errno == 0 ? EIO : errno, path.string());
  return ReadConfigText(text.str(), path.string(), options);
}

}  // namespace gemmd
