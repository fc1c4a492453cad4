// The specs that the tree ships: the examples, and those of the benchmarks.
#pragma once

#include <filesystem>
#include <vector>

#include "plan/graph.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// client/examples/*.json and tests/bench/specs/*.json, ordered by path.
std::vector<std::filesystem::path> SpecFiles();

// The whole of a text file; a failure of the calling test where it can't be read.
std::string ReadText(const std::filesystem::path& path);

// A file's spec, which must be valid: its errors fail the calling test, and the spec is then empty.
KernelSpec ReadSpecFile(const std::filesystem::path& path);

}  // namespace gemmd
