#include "spec/validate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "spec/spec_checks.h"

namespace gemmd {
namespace {

// A or B: an input, and a matrix. Null if it is not.
const TensorSpec* CheckFactor(const KernelSpec& spec, const std::string& name, const std::string& place,
                              CheckState& state) {
  const TensorSpec* tensor = CheckInputName(spec, name, place, state);
  if (tensor == nullptr || tensor->shape.size() == 2) return tensor;
  state.Add(place, fmt::format("{} of rank {}", Quote(name), tensor->shape.size()), "a matrix");
  return nullptr;
}

void CheckMatmul(const KernelSpec& spec, CheckState& state) {
  const TensorSpec* a = CheckFactor(spec, spec.matmul_a, "matmul.a", state);
  const TensorSpec* b = CheckFactor(spec, spec.matmul_b, "matmul.b", state);
  if (a == nullptr || b == nullptr) return;
  if (a->dtype != b->dtype) {
    state.Add("matmul.b", fmt::format("{} of {}", Quote(spec.matmul_b), Name(b->dtype)),
              fmt::format("of {}, the element type of {}", Name(a->dtype), Quote(spec.matmul_a)));
  }
  const auto columns = ExtentOf(spec, a->shape[1]), rows = ExtentOf(spec, b->shape[0]);
  if (columns && rows && *columns != *rows) {
    state.Add(FieldPlace("inputs", spec.matmul_b) + ".shape[0]", Describe(*rows),
              fmt::format("{}, the columns of {}", Describe(*columns), Quote(spec.matmul_a)));
  }
}

void CheckPrecision(const KernelSpec& spec, CheckState& state) {
  if (spec.precision == Precision::kDefault) return;
  const auto a = spec.inputs.find(spec.matmul_a);
  if (a != spec.inputs.end() && a->second.dtype != DType::kF32) {
    state.Add("precision", Quote(Name(spec.precision)),
              fmt::format("a choice for {} inputs; only f32 has one", Name(a->second.dtype)));
  }
}

void CheckConfigPin(const ConfigPin& pin, CheckState& state) {
  const std::vector<std::string> schedules(std::begin(kScheduleNames), std::end(kScheduleNames));
  if (!pin.schedule.empty() && std::find(schedules.begin(), schedules.end(), pin.schedule) == schedules.end()) {
    state.Add("config.schedule", Quote(pin.schedule), fmt::format("a schedule ({})", fmt::join(schedules, ", ")),
              Nearest(pin.schedule, schedules));
  }
  if (!pin.tile.empty() && pin.tile.size() != 3) {
    state.Add("config.tile", fmt::format("a list of {}", pin.tile.size()), "m, n and k");
  }
  for (std::size_t i = 0; i < pin.tile.size(); ++i) {
    if (pin.tile[i] < 1) state.Add(ElementPlace("config.tile", i), fmt::format("{}", pin.tile[i]), "positive");
  }
  const auto check_count = [&](std::string_view field, const std::optional<std::int64_t>& count) {
    if (count && *count < 1) state.Add(FieldPlace("config", field), fmt::format("{}", *count), "positive");
  };
  check_count("stages", pin.stages);
  check_count("split_k", pin.split_k);
  check_count("cluster_k", pin.cluster_k);
}

void CheckPrologue(const KernelSpec& spec, const std::vector<Operation>& chain, std::string_view side,
                   const std::string& factor, CheckState& state) {
  if (chain.empty()) return;
  ChainScope scope{ChainRole::kPrologue, FieldPlace("prologue", side), {}, {}};
  const auto tensor = spec.inputs.find(factor);
  if (tensor != spec.inputs.end() && tensor->second.shape.size() == 2) {
    scope.rows = ExtentOf(spec, tensor->second.shape[0]);
    scope.columns = ExtentOf(spec, tensor->second.shape[1]);
  }
  CheckChain(spec, chain, scope, state);
}

void CheckEpilogue(const KernelSpec& spec, CheckState& state) {
  ChainScope scope{ChainRole::kEpilogue, "epilogue", {}, {}};
  if (const auto product = ProductOf(spec)) {
    scope.rows = product->m;
    scope.columns = product->n;
    const auto &m = product->m.literal, &n = product->n.literal;
    if (m && n && *n > 0 && *m > 0 && *m <= kMaxExtent && *n <= kMaxExtent &&
        *m > kMaxTensorBytes / SizeBytes(DType::kF32) / *n) {
      state.Add("matmul", "the size of its result", "under 2^62 bytes");
    }
  }
  CheckChain(spec, spec.epilogue, scope, state);
}

void CheckUnused(const KernelSpec& spec, CheckState& state) {
  if (state.broken_reference) return;
  for (const auto& [name, tensor] : spec.inputs) {
    if (!state.used_inputs.contains(name)) {
      state.Add(FieldPlace("inputs", name), Quote(name), "used by the matmul or any operation");
    }
  }
  for (const auto& [name, dim] : spec.dims) {
    if (!state.used_dims.contains(name)) state.Add(FieldPlace("dims", name), Quote(name), "used by any input");
  }
}

std::size_t CountStores(const KernelSpec& spec) {
  return std::count_if(spec.epilogue.begin(), spec.epilogue.end(),
                       [](const Operation& operation) { return operation.kind == OpKind::kStore; });
}

}  // namespace

std::vector<Diagnostic> Validate(const KernelSpec& spec) {
  CheckState state;
  if (spec.version != 1) state.Add("version", fmt::format("{}", spec.version), "1");
  if (spec.name.size() > kMaxNameBytes) {
    state.Add("name", fmt::format("a name of {} bytes", spec.name.size()),
              fmt::format("at most {} long", kMaxNameBytes));
  }
  if (const std::size_t tensors = spec.inputs.size() + CountStores(spec); tensors > kMaxTensors) {
    state.Add("inputs", fmt::format("a total of {} inputs and outputs", tensors),
              fmt::format("at most {}", kMaxTensors));
    return state.diagnostics;
  }
  CheckDims(spec, state);
  CheckInputs(spec, state);
  CheckMatmul(spec, state);
  CheckPrecision(spec, state);
  CheckPrologue(spec, spec.prologue_a, "a", spec.matmul_a, state);
  CheckPrologue(spec, spec.prologue_b, "b", spec.matmul_b, state);
  CheckEpilogue(spec, state);
  CheckConfigPin(spec.config, state);
  CheckUnused(spec, state);
  return state.diagnostics;
}

}  // namespace gemmd
