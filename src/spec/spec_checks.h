// The parts of Validate: each appends what is wrong with one aspect of a spec.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "spec/broadcast.h"
#include "spec/diagnostic.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// What the checks have seen so far.
struct CheckState {
  std::vector<Diagnostic> diagnostics;
  std::set<std::string> used_inputs, used_dims;
  bool broken_reference = false;  // some name resolved to nothing

  void Add(std::string place, std::string found, std::string expected, std::string suggestion = "");
  // The name in the maps nearest to `name`. Empty once there are many diagnostics: comparing names is what costs, and a
  // hostile spec must not buy minutes of it.
  template <typename... Maps>
  std::string Suggest(const std::string& name, const Maps&... maps) const {
    constexpr std::size_t kMaxSuggested = 64;
    if (diagnostics.size() >= kMaxSuggested) return "";
    std::vector<std::string> names;
    const auto add = [&](const auto& map) {
      for (const auto& [key, value] : map) names.push_back(key);
    };
    (add(maps), ...);
    return Nearest(name, names);
  }
  void AddUnimplemented(std::string place, std::string found, std::string expected);
};

// Names of dims, extents, names of inputs, their shapes, dtypes, layouts and sizes.
void CheckDims(const KernelSpec& spec, CheckState& state);
void CheckInputs(const KernelSpec& spec, CheckState& state);

enum class ChainRole { kPrologue, kEpilogue };

// A chain over a [rows, columns] matrix; extents are absent where they are not known, and shapes go unchecked then.
struct ChainScope {
  ChainRole role = ChainRole::kEpilogue;
  std::string place;  // "epilogue", "prologue.a"
  std::optional<Extent> rows, columns;
};
void CheckChain(const KernelSpec& spec, const std::vector<Operation>& chain, const ChainScope& scope,
                CheckState& state);

// What is wrong with an operation on rows of so many columns.
std::optional<Diagnostic> CheckRowLength(OpKind kind, std::string place, std::int64_t columns);

// An element type that the pipeline must be able to compute.
void CheckDType(DType dtype, std::string place, CheckState& state);

// The name of an input: notes its use, or reports it with the nearest name. Null if there is none.
const TensorSpec* CheckInputName(const KernelSpec& spec, const std::string& name, const std::string& place,
                                 CheckState& state);

}  // namespace gemmd
