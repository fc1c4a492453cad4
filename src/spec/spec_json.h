// The JSON spelling of a spec.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "spec/diagnostic.h"
#include "spec/kernel_spec.h"

namespace gemmd {

struct ParsedSpec {
  KernelSpec spec;                      // what could be read
  std::vector<Diagnostic> diagnostics;  // syntax, types, unknown and duplicate fields
};

// Never fails: whatever is wrong becomes a diagnostic. Text over 1 MiB, nesting over 16 levels and chains over 4096
// operations are refused before anything is allocated for them.
ParsedSpec ReadSpecJson(std::string_view text);

// What was wrong in reading it, then what Validate finds in the parts that could be read.
std::vector<Diagnostic> AllDiagnostics(const ParsedSpec& parsed);

// ReadSpecJson and AllDiagnostics together. Errors: InvalidArgument or Unimplemented with every diagnostic, a line
// each.
absl::StatusOr<KernelSpec> ParseValidSpec(std::string_view text);

// Canonical field order, two-space indent; ReadSpecJson(WriteSpecJson(s)).spec == s.
std::string WriteSpecJson(const KernelSpec& spec);

}  // namespace gemmd
