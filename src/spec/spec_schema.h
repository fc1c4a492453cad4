// The JSON Schema of a spec: what an editor completes and checks while somebody writes one.
#pragma once

#include <string>

namespace gemmd {

// Draft 2020-12, generated from the operation table and the limits of Validate, with a line feed at its end. What it
// refuses Validate refuses too; names, shapes and references beyond it are Validate's alone.
std::string SpecSchema();

}  // namespace gemmd
