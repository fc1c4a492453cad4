// JSON text to a tree, bounded before anything is allocated for it.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "spec/diagnostic.h"

namespace gemmd {

inline constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxJsonDepth = 16;
inline constexpr std::size_t kMaxJsonEntries = 4096;  // of one list or object

// Strict JSON. A field given twice is a diagnostic and the last one counts; bad syntax and exceeded bounds are
// diagnostics and leave nothing. Never throws.
std::optional<nlohmann::json> ReadJsonDocument(std::string_view text, std::vector<Diagnostic>& diagnostics);

}  // namespace gemmd
