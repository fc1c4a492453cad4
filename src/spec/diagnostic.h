// What is wrong with a spec, all of it at once.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace gemmd {

// `found` and `expected` are noun phrases that read well as "found is not expected".
struct Diagnostic {
  std::string place;           // "epilogue[1].operand"; kWholeSpec where no field can be named
  std::string found;           // "\"resid\""; empty: the field is missing
  std::string expected;        // "an input"
  std::string suggestion;      // the nearest valid name, or empty
  bool unimplemented = false;  // a valid spec that gemmd can't compute yet

  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

inline constexpr std::string_view kWholeSpec = "spec";

// `epilogue[1].operand: "resid" is not an input; did you mean "residual"?` in one line.
std::string Render(const Diagnostic& diagnostic);

// OK when empty; Unimplemented when every diagnostic is; else InvalidArgument with a line for each. Lines beyond 4 KiB
// are counted, not printed: a status travels in a header of bounded size.
absl::Status ToStatus(const std::vector<Diagnostic>& diagnostics);

// The nearest of `candidates` within a third of the name's length in edits, or one that the name abbreviates; else
// empty.
std::string Nearest(std::string_view name, const std::vector<std::string>& candidates);

// User text, safe to print: in double quotes, cut after 64 bytes, everything but printable ASCII escaped.
std::string Quote(std::string_view text);

// Places of parts: "inputs" and "w" make `inputs.w`, "epilogue" and 1 make `epilogue[1]`. A field that is no
// identifier is quoted: `inputs["a b"]`. The whole spec's fields stand alone.
std::string FieldPlace(std::string_view place, std::string_view field);
std::string ElementPlace(std::string_view place, std::size_t index);

// Letters, digits and underscores, not first a digit, at most 64 of them.
bool IsIdentifier(std::string_view text);

}  // namespace gemmd
