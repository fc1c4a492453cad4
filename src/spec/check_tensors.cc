#include <fmt/format.h>

#include <utility>

#include "spec/spec_checks.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

void CheckExtent(std::int64_t extent, const std::string& place, CheckState& state) {
  if (extent < 0 || extent > kMaxExtent) {
    state.Add(place, fmt::format("{}", extent), fmt::format("between 0 and {}", kMaxExtent));
  }
}

void CheckShape(const KernelSpec& spec, const TensorSpec& tensor, const std::string& place, CheckState& state) {
  const std::string shape_place = FieldPlace(place, "shape");
  if (tensor.shape.size() > 2) {
    state.Add(shape_place, fmt::format("rank {}", tensor.shape.size()), "rank 0, 1 or 2");
  }
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    const std::string entry_place = ElementPlace(shape_place, i);
    if (const auto* literal = std::get_if<std::int64_t>(&tensor.shape[i])) {
      CheckExtent(*literal, entry_place, state);
      continue;
    }
    const std::string& name = std::get<std::string>(tensor.shape[i]);
    if (spec.dims.contains(name)) {
      state.used_dims.insert(name);
    } else {
      state.broken_reference = true;
      state.Add(entry_place, Quote(name), "a dim", state.Suggest(name, spec.dims));
    }
  }
}

// Only where every extent is a legal literal: dynamic ones are checked at launch.
void CheckSize(const KernelSpec& spec, const TensorSpec& tensor, const std::string& place, CheckState& state) {
  std::int64_t elements_left = kMaxTensorBytes / SizeBytes(tensor.dtype);
  for (const ShapeEntry& entry : tensor.shape) {
    const auto extent = ExtentOf(spec, entry);
    if (!extent || !extent->literal || *extent->literal <= 0 || *extent->literal > kMaxExtent) return;
    elements_left /= *extent->literal;
  }
  if (elements_left == 0) state.Add(FieldPlace(place, "shape"), "its size", "under 2^62 bytes");
}

}  // namespace

void CheckState::Add(std::string place, std::string found, std::string expected, std::string suggestion) {
  diagnostics.push_back({std::move(place), std::move(found), std::move(expected), std::move(suggestion), false});
}

void CheckState::AddUnimplemented(std::string place, std::string found, std::string expected) {
  diagnostics.push_back({std::move(place), std::move(found), std::move(expected), "", true});
}

void CheckDims(const KernelSpec& spec, CheckState& state) {
  for (const auto& [name, dim] : spec.dims) {
    const std::string place = FieldPlace("dims", name);
    if (!IsIdentifier(name)) state.Add(place, Quote(name), "an identifier");
    if (dim.extent) CheckExtent(*dim.extent, place, state);
  }
}

void CheckInputs(const KernelSpec& spec, CheckState& state) {
  for (const auto& [name, tensor] : spec.inputs) {
    const std::string place = FieldPlace("inputs", name);
    if (!IsIdentifier(name)) state.Add(place, Quote(name), "an identifier");
    CheckDType(tensor.dtype, FieldPlace(place, "dtype"), state);
    CheckShape(spec, tensor, place, state);
    CheckSize(spec, tensor, place, state);
    if (tensor.layout == Layout::kColumnMajor && tensor.shape.size() < 2) {
      state.Add(FieldPlace(place, "layout"), "\"column_major\"", "a layout of a scalar or vector");
    }
  }
}

void CheckDType(DType dtype, std::string place, CheckState& state) {
  if (IsImplemented(dtype)) return;
  state.AddUnimplemented(std::move(place), Quote(Name(dtype)), "implemented; f32, f16 and bf16 are");
}

const TensorSpec* CheckInputName(const KernelSpec& spec, const std::string& name, const std::string& place,
                                 CheckState& state) {
  const auto input = spec.inputs.find(name);
  if (input != spec.inputs.end()) {
    state.used_inputs.insert(name);
    return &input->second;
  }
  state.broken_reference = true;
  if (name.empty()) {
    state.Add(place, "", "an input");
  } else {
    state.Add(place, Quote(name), "an input", state.Suggest(name, spec.inputs));
  }
  return nullptr;
}

}  // namespace gemmd
