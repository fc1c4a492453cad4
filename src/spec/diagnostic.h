// What is wrong with a spec, all of it at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace gemmd {

struct Diagnostic {
  std::string place;       // "epilogue[1].operand"
  std::string found;       // "\"resid\""
  std::string expected;    // "the name of an input"
  std::string suggestion;  // the nearest valid name, or empty
  bool unimplemented = false;  // a valid spec that gemmd can't compute yet

  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

// `epilogue[1].operand: "resid" is not an input; did you mean "residual"?` in one line.
std::string Render(const Diagnostic& diagnostic);

// OK when empty; Unimplemented when every diagnostic is; else InvalidArgument with a line for each.
absl::Status ToStatus(const std::vector<Diagnostic>& diagnostics);

// The nearest of `candidates` within a small edit distance, or empty.
std::string Nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace gemmd
