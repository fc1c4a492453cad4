#include <fmt/format.h>

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "spec/json_document.h"
#include "spec/object_reader.h"
#include "spec/spec_json.h"

namespace gemmd {
namespace {

using nlohmann::json;
using Diagnostics = std::vector<Diagnostic>;

std::vector<std::string> DTypeNames() {
  std::vector<std::string> names;
  for (DType dtype : AllDTypes()) names.emplace_back(Name(dtype));
  return names;
}

std::vector<std::string> OpNames() {
  std::vector<std::string> names;
  for (const OpTraits& row : OpTable()) names.emplace_back(row.name);
  return names;
}

std::vector<std::string> FormsOf(std::string_view name) {
  std::vector<std::string> forms;
  for (const OpTraits& row : OpTable()) {
    if (row.name == name && !row.form.empty()) forms.emplace_back(row.form);
  }
  return forms;
}

Dim ReadDim(const json& value, const std::string& place, Diagnostics& diagnostics) {
  if (const auto extent = IntegerOf(value)) return {*extent};
  if (value != "dynamic") {
    diagnostics.push_back({place, Describe(value), "an integer or \"dynamic\"",
                           value.is_string() ? Nearest(value.get<std::string>(), {"dynamic"}) : "", false});
  }
  return {};
}

std::vector<ShapeEntry> ReadShape(const json& list, const std::string& place, Diagnostics& diagnostics) {
  std::vector<ShapeEntry> shape;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (const auto extent = IntegerOf(list[i])) {
      shape.emplace_back(*extent);
    } else if (list[i].is_string()) {
      shape.emplace_back(list[i].get<std::string>());
    } else {
      diagnostics.push_back({ElementPlace(place, i), Describe(list[i]), "the name of a dim or an integer", "", false});
      shape.emplace_back(std::int64_t{1});  // keeps the places of later entries
    }
  }
  return shape;
}

TensorSpec ReadTensor(const json& value, const std::string& place, Diagnostics& diagnostics) {
  TensorSpec tensor;
  ObjectReader reader(value, place, "an input", diagnostics);
  if (value.is_object()) {
    reader.Require("dtype", "an element type such as \"f16\"");
    reader.Require("shape", "a list of dims");
  }
  reader.ReadName("dtype", "an element type", DTypeNames(), DTypeFromName, tensor.dtype);
  if (const json* shape = reader.FindList("shape")) {
    tensor.shape = ReadShape(*shape, reader.PlaceOf("shape"), diagnostics);
  }
  reader.ReadName("layout", "\"row_major\" or \"column_major\"", {"row_major", "column_major"}, LayoutFromName,
                  tensor.layout);
  reader.Finish();
  return tensor;
}

std::optional<OpKind> ReadKind(ObjectReader& reader, Diagnostics& diagnostics) {
  const json* op = reader.Require("op", "the name of an operation");
  std::optional<std::string> form;
  if (reader.Find("form") != nullptr) reader.ReadText("form", form.emplace());
  if (op == nullptr) return std::nullopt;
  const std::string name = op->is_string() ? op->get<std::string>() : "";
  const OpTraits* traits = FindOp(name, std::nullopt);
  if (traits == nullptr) {
    diagnostics.push_back({reader.PlaceOf("op"), Describe(*op), "an operation", Nearest(name, OpNames()), false});
    return std::nullopt;
  }
  if (!form) return traits->kind;
  const OpTraits* formed = FindOp(name, *form);
  if (formed == nullptr || form->empty()) {
    diagnostics.push_back({reader.PlaceOf("form"), Quote(*form), fmt::format("a form of \"{}\"", name),
                           Nearest(*form, FormsOf(name)), false});
    return traits->kind;
  }
  return formed->kind;
}

Operation ReadOperation(const json& value, const std::string& place, Diagnostics& diagnostics) {
  Operation operation;
  ObjectReader reader(value, place, "an operation", diagnostics);
  if (!value.is_object()) return operation;
  const bool has_argument = value.contains("value") || value.contains("operand");
  if (const auto kind = ReadKind(reader, diagnostics)) operation.kind = has_argument ? *kind : WithoutArgument(*kind);
  for (const NumberField& field : NumberFields()) reader.ReadNumber(std::string(field.name), operation.*field.member);
  reader.ReadIdentifier("operand", operation.operand);
  reader.ReadIdentifier("condition", operation.condition);
  for (const VectorField& field : VectorFields()) {
    reader.ReadIdentifier(std::string(field.name), operation.*field.member);
  }
  reader.ReadIdentifier("output", operation.output);
  reader.ReadName("dtype", "an element type", DTypeNames(), DTypeFromName, operation.dtype);
  reader.ReadIdentifier("id", operation.id);
  reader.ReadIdentifier("input", operation.input);
  reader.Finish();
  return operation;
}

std::vector<Operation> ReadChain(const json* list, const std::string& place, Diagnostics& diagnostics) {
  std::vector<Operation> chain;
  if (list == nullptr) return chain;
  for (std::size_t i = 0; i < list->size(); ++i) {
    chain.push_back(ReadOperation((*list)[i], ElementPlace(place, i), diagnostics));
  }
  return chain;
}

void ReadMatmul(const json& value, KernelSpec& spec, Diagnostics& diagnostics) {
  ObjectReader reader(value, "matmul", "a matmul", diagnostics);
  if (value.is_object()) {
    reader.Require("a", "an input");
    reader.Require("b", "an input");
  }
  reader.ReadIdentifier("a", spec.matmul_a);
  reader.ReadIdentifier("b", spec.matmul_b);
  reader.Finish();
}

void ReadPrologue(const json& value, KernelSpec& spec, Diagnostics& diagnostics) {
  ObjectReader reader(value, "prologue", "a prologue", diagnostics);
  spec.prologue_a = ReadChain(reader.FindList("a"), reader.PlaceOf("a"), diagnostics);
  spec.prologue_b = ReadChain(reader.FindList("b"), reader.PlaceOf("b"), diagnostics);
  reader.Finish();
}

void ReadConfig(const json& value, ConfigPin& pin, Diagnostics& diagnostics) {
  ObjectReader reader(value, "config", "a config", diagnostics);
  reader.ReadIdentifier("schedule", pin.schedule);
  if (const json* tile = reader.FindList("tile")) {
    for (std::size_t i = 0; i < tile->size(); ++i) {
      const auto extent = IntegerOf((*tile)[i]);
      if (!extent) {
        diagnostics.push_back({ElementPlace(reader.PlaceOf("tile"), i), Describe((*tile)[i]), "an integer", "", false});
      }
      pin.tile.push_back(extent.value_or(0));
    }
  }
  reader.ReadInteger("stages", pin.stages);
  reader.ReadInteger("split_k", pin.split_k);
  reader.ReadInteger("cluster_k", pin.cluster_k);
  reader.Finish();
}

void ReadVersion(ObjectReader& reader, KernelSpec& spec, Diagnostics& diagnostics) {
  const json* value = reader.Require("version", "1");
  if (value == nullptr) return;
  const auto version = IntegerOf(*value);
  if (!version || *version < 0 || *version > std::numeric_limits<int>::max()) {
    diagnostics.push_back({reader.PlaceOf("version"), Describe(*value), "a version of the format", "", false});
    return;
  }
  spec.version = static_cast<int>(*version);
}

KernelSpec ReadSpec(const json& root, Diagnostics& diagnostics) {
  KernelSpec spec;
  ObjectReader reader(root, std::string(kWholeSpec), "a spec", diagnostics);
  if (!root.is_object()) return spec;
  ReadVersion(reader, spec, diagnostics);
  reader.ReadText("name", spec.name);
  if (const json* dims = reader.FindObject("dims")) {
    for (const auto& [name, value] : dims->items()) {
      spec.dims[name] = ReadDim(value, FieldPlace("dims", name), diagnostics);
    }
  }
  reader.Require("inputs", "the inputs by name");
  if (const json* inputs = reader.FindObject("inputs")) {
    for (const auto& [name, value] : inputs->items()) {
      spec.inputs[name] = ReadTensor(value, FieldPlace("inputs", name), diagnostics);
    }
  }
  if (const json* matmul = reader.Require("matmul", "an object with a and b")) ReadMatmul(*matmul, spec, diagnostics);
  reader.ReadName("precision", "a precision", {"default", "ieee", "tf32", "tf32x3"}, PrecisionFromName, spec.precision);
  reader.ReadBool("deterministic", spec.deterministic);
  if (const json* prologue = reader.Find("prologue")) ReadPrologue(*prologue, spec, diagnostics);
  reader.Require("epilogue", "a list of operations");
  spec.epilogue = ReadChain(reader.FindList("epilogue"), "epilogue", diagnostics);
  if (const json* config = reader.Find("config")) ReadConfig(*config, spec.config, diagnostics);
  reader.Finish();
  return spec;
}

}  // namespace

ParsedSpec ReadSpecJson(std::string_view text) {
  ParsedSpec parsed;
  if (const auto root = ReadJsonDocument(text, parsed.diagnostics)) {
    parsed.spec = ReadSpec(*root, parsed.diagnostics);
  }
  return parsed;
}

}  // namespace gemmd
