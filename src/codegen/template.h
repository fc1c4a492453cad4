// Text with named holes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gemmd {

// Replaces each ${name} by its value. A value is inserted as it is; holes inside it are text.
// Errors: Internal (a hole without a value, a value without a hole, an unclosed hole).
absl::StatusOr<std::string> FillTemplate(std::string_view text, const std::map<std::string, std::string>& values);

}  // namespace gemmd
