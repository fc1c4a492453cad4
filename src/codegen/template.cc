#include "codegen/template.h"

#include <set>

#include "base/status.h"

namespace gemmd {

absl::StatusOr<std::string> FillTemplate(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string result;
  std::set<std::string> used;
  while (true) {
    const std::size_t start = text.find("${");
    result.append(text.substr(0, start));
    if (start == std::string_view::npos) break;
    const std::size_t end = text.find('}', start);
    if (end == std::string_view::npos) return Internal("the template has an unclosed hole: {}", text.substr(start, 20));
    const std::string name(text.substr(start + 2, end - start - 2));
    const auto value = values.find(name);
    if (value == values.end()) return Internal("the template's hole ${{{}}} has no value", name);
    result.append(value->second);
    used.insert(name);
    text.remove_prefix(end + 1);
  }
  for (const auto& [name, value] : values) {
    if (!used.contains(name)) return Internal("the template has no hole ${{{}}}", name);
  }
  return result;
}

}  // namespace gemmd
