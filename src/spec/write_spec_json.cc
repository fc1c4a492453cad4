#include <nlohmann/json.hpp>
#include <string>

#include "spec/spec_json.h"

namespace gemmd {
namespace {

using nlohmann::ordered_json;

ordered_json ToJson(const Dim& dim) { return dim.extent ? ordered_json(*dim.extent) : ordered_json("dynamic"); }

ordered_json ToJson(const TensorSpec& tensor) {
  ordered_json object = {{"dtype", Name(tensor.dtype)}, {"shape", ordered_json::array()}};
  for (const ShapeEntry& entry : tensor.shape) {
    std::visit([&](const auto& dim) { object["shape"].push_back(dim); }, entry);
  }
  if (tensor.layout != Layout::kRowMajor) object["layout"] = Name(tensor.layout);
  return object;
}

ordered_json ToJson(const Operation& operation) {
  const OpTraits& traits = Traits(operation.kind);
  ordered_json object = {{"op", traits.name}};
  if (!traits.form.empty() && &traits != FindOp(traits.name, std::nullopt)) object["form"] = traits.form;
  if (!operation.condition.empty()) object["condition"] = operation.condition;
  if (!operation.operand.empty()) object["operand"] = operation.operand;
  for (const NumberField& field : NumberFields()) {
    const std::optional<double>& number = operation.*field.member;
    if (number) object[std::string(field.name)] = *number;
  }
  for (const VectorField& field : VectorFields()) {
    const std::string& vector = operation.*field.member;
    if (!vector.empty()) object[std::string(field.name)] = vector;
  }
  if (!operation.output.empty()) object["output"] = operation.output;
  if (operation.dtype) object["dtype"] = Name(*operation.dtype);
  if (!operation.id.empty()) object["id"] = operation.id;
  if (!operation.input.empty()) object["input"] = operation.input;
  return object;
}

ordered_json ToJson(const std::vector<Operation>& chain) {
  ordered_json list = ordered_json::array();
  for (const Operation& operation : chain) list.push_back(ToJson(operation));
  return list;
}

ordered_json ToJson(const ConfigPin& pin) {
  ordered_json object = ordered_json::object();
  if (!pin.schedule.empty()) object["schedule"] = pin.schedule;
  if (!pin.tile.empty()) object["tile"] = pin.tile;
  if (pin.stages) object["stages"] = *pin.stages;
  if (pin.split_k) object["split_k"] = *pin.split_k;
  if (pin.cluster_k) object["cluster_k"] = *pin.cluster_k;
  return object;
}

}  // namespace

std::string WriteSpecJson(const KernelSpec& spec) {
  ordered_json root = {{"version", spec.version}};
  if (!spec.name.empty()) root["name"] = spec.name;
  for (const auto& [name, dim] : spec.dims) root["dims"][name] = ToJson(dim);
  root["inputs"] = ordered_json::object();
  for (const auto& [name, tensor] : spec.inputs) root["inputs"][name] = ToJson(tensor);
  root["matmul"] = {{"a", spec.matmul_a}, {"b", spec.matmul_b}};
  if (spec.precision != Precision::kDefault) root["precision"] = Name(spec.precision);
  if (!spec.deterministic) root["deterministic"] = false;
  if (!spec.prologue_a.empty()) root["prologue"]["a"] = ToJson(spec.prologue_a);
  if (!spec.prologue_b.empty()) root["prologue"]["b"] = ToJson(spec.prologue_b);
  root["epilogue"] = ToJson(spec.epilogue);
  if (spec.config != ConfigPin{}) root["config"] = ToJson(spec.config);
  return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace gemmd
