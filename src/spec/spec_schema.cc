#include "spec/spec_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "spec/diagnostic.h"
#include "spec/kernel_spec.h"
#include "spec/operation.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

using Json = nlohmann::ordered_json;

Json Reference(std::string_view definition) { return {{"$ref", fmt::format("#/$defs/{}", definition)}}; }

Json Described(Json schema, std::string_view description) {
  schema["description"] = description;
  return schema;
}

// An object of exactly these properties.
Json Object(std::string_view description, Json properties, Json required) {
  return {{"type", "object"},
          {"description", description},
          {"properties", std::move(properties)},
          {"required", std::move(required)},
          {"additionalProperties", false}};
}

// A map from the user's names.
Json Named(std::string_view description, Json values) {
  return {{"type", "object"},
          {"description", description},
          {"propertyNames", Reference("identifier")},
          {"additionalProperties", std::move(values)}};
}

Json Constant(std::string_view value, std::string_view description) {
  return {{"const", value}, {"description", description}};
}

Json Identifier() {
  return {{"type", "string"},
          {"description", "Letters, digits and underscores, not first a digit"},
          {"pattern", fmt::format("^[A-Za-z_][A-Za-z0-9_]{{0,{}}}$", kMaxIdentifierBytes - 1)}};
}

Json Extent() { return {{"type", "integer"}, {"minimum", 0}, {"maximum", kMaxExtent}}; }

Json DTypes(bool (*contains)(DType)) {
  Json names = Json::array();
  for (const DType dtype : AllDTypes()) {
    if (contains(dtype)) names.push_back(Name(dtype));
  }
  return {{"type", "string"}, {"enum", names}};
}

Json Number() {
  const double largest = std::numeric_limits<float>::max();
  return {{"type", "number"}, {"description", "Becomes an f32"}, {"minimum", -largest}, {"maximum", largest}};
}

Json Tensor() {
  Json layouts = Json::array({Constant(Name(Layout::kRowMajor), "Rows are contiguous; the default"),
                              Constant(Name(Layout::kColumnMajor), "Columns are contiguous; of a matrix only")});
  Json shape = {{"type", "array"},
                {"description", "[] is a scalar, [N] a vector, [M, N] a matrix; dims by name, or extents"},
                {"items", {{"anyOf", Json::array({Reference("identifier"), Reference("extent")})}}},
                {"maxItems", 2}};
  Json tensor = Object("A tensor in device memory, or a scalar",
                       {{"dtype", Reference("dtype")}, {"shape", std::move(shape)}, {"layout", {{"oneOf", layouts}}}},
                       {"dtype", "shape"});
  tensor["if"] = {{"properties", {{"layout", {{"const", Name(Layout::kColumnMajor)}}}}}, {"required", {"layout"}}};
  tensor["then"] = {{"properties", {{"shape", {{"minItems", 2}}}}}};
  return tensor;
}

// The rows of one name, in the table's order.
std::vector<const OpTraits*> FormsOf(std::string_view name) {
  std::vector<const OpTraits*> rows;
  for (const OpTraits& row : OpTable()) {
    if (row.name == name) rows.push_back(&row);
  }
  return rows;
}

void AddParams(const OpTraits& traits, Json& properties, Json& then) {
  Json required = Json::array(), any = Json::array();
  for (const OpParam& param : traits.params) {
    Json number = Reference("number");
    if (std::isfinite(param.above)) number["exclusiveMinimum"] = param.above;
    if (std::isfinite(param.least)) number["minimum"] = param.least;
    if (param.fallback && std::isfinite(*param.fallback)) {
      // The shortest text of the float, as the table has it.
      number["default"] = Json::parse(fmt::format("{}", *param.fallback));
    }
    properties[std::string(param.field.name)] = std::move(number);
    if (!param.fallback) required.push_back(param.field.name);
    any.push_back({{"required", {param.field.name}}});
  }
  if (!required.empty()) then["required"] = std::move(required);
  const bool all_do_nothing = !traits.params.empty() && std::ranges::all_of(traits.params, [](const OpParam& param) {
    return param.fallback && std::isinf(*param.fallback);
  });
  if (all_do_nothing) then["anyOf"] = std::move(any);
}

Json Requires(std::string_view field) { return {{"required", {field}}}; }

// `or_none`: without it the operation is a reduction.
void AddArgument(bool or_none, Json& properties, Json& then) {
  properties["value"] = Described(Reference("number"), "y, as a literal");
  properties["operand"] = Described(Reference("identifier"), "y: an input, or the id of an earlier operation");
  properties["scale"] = Described(Reference("number"), "Multiplies the operand");
  then["oneOf"] = Json::array({Requires("value"), Requires("operand")});
  if (or_none) {
    then["oneOf"].push_back({{"not", {{"anyOf", Json::array({Requires("value"), Requires("operand")})}}}});
  }
  then["dependentRequired"] = {{"scale", {"operand"}}};
}

// What an operation of this name has beside `op`, `id` and `input`.
Json FieldsOf(const std::vector<const OpTraits*>& forms) {
  const OpTraits& traits = *forms.front();
  Json properties = Json::object(), then = Json::object();
  if (!traits.form.empty()) {
    Json names = Json::array();
    for (const OpTraits* form : forms) names.push_back(Constant(form->form, form->formula));
    properties["form"] = {{"oneOf", std::move(names)}, {"default", traits.form}};
  }
  switch (traits.op_class) {
    case OpClass::kUnary:
      AddParams(traits, properties, then);
      break;
    case OpClass::kBinary:
      AddArgument(WithoutArgument(traits.kind) != traits.kind, properties, then);
      break;
    case OpClass::kSelect:
      AddArgument(false, properties, then);
      properties["condition"] = Described(Reference("identifier"), "c: an input, or the id of an earlier operation");
      then["required"] = {"condition"};
      break;
    case OpClass::kGate:
      break;
    case OpClass::kNormalize:
    case OpClass::kReduce:
      AddParams(traits, properties, then);
      for (const VectorField& field : traits.vectors) {
        properties[std::string(field.name)] = Described(Reference("identifier"), "An input [N]");
      }
      break;
    case OpClass::kCast:
      properties["dtype"] = Described(Reference("dtype"), "What to round to");
      then["required"] = {"dtype"};
      break;
    case OpClass::kStore:
      properties["output"] = Described(Reference("identifier"), "The output's name");
      properties["dtype"] = Described(Reference("stored_dtype"), "The output's; i32 of what argmax makes");
      then["required"] = {"output", "dtype"};
      break;
  }
  if (!properties.empty()) then["properties"] = std::move(properties);
  return then;
}

Json OperationSchema() {
  Json names = Json::array(), rules = Json::array();
  for (const OpTraits& row : OpTable()) {
    const std::vector<const OpTraits*> forms = FormsOf(row.name);
    if (forms.front() != &row) continue;
    const OpKind reduction = WithoutArgument(row.kind);
    const std::string also = reduction == row.kind ? "" : fmt::format("; {}", Traits(reduction).formula);
    names.push_back(Constant(row.name, std::string(row.formula) + also));
    Json then = FieldsOf(forms);
    if (then.empty()) continue;
    rules.push_back(
        {{"if", {{"properties", {{"op", {{"const", row.name}}}}}, {"required", {"op"}}}}, {"then", std::move(then)}});
  }
  return {{"type", "object"},
          {"description", "One operation of a chain; x is the value of the one before it"},
          {"properties",
           {{"op", {{"oneOf", std::move(names)}}},
            {"id", Described(Reference("identifier"), "Names this operation's value")},
            {"input", Described(Reference("identifier"), "x: the value of this id, rather than the one before")}}},
          {"required", {"op"}},
          {"allOf", std::move(rules)},
          {"unevaluatedProperties", false}};
}

Json Chain(std::string_view description) {
  return {{"type", "array"},
          {"description", description},
          {"items", Reference("operation")},
          {"maxItems", kMaxChainOperations}};
}

Json Epilogue() {
  Json chain = Chain("From the accumulator to the stores");
  const std::string_view store = Traits(OpKind::kStore).name;
  chain["contains"] = {{"type", "object"}, {"properties", {{"op", {{"const", store}}}}}, {"required", {"op"}}};
  return chain;
}

Json Prologue() {
  Json others = Json::array(), with_argument = Json::array();
  for (const OpTraits& row : OpTable()) {
    const bool other = row.op_class == OpClass::kStore || row.op_class == OpClass::kGate || IsRowWise(row.kind);
    if (other && FormsOf(row.name).front() == &row) others.push_back(row.name);
    if (WithoutArgument(row.kind) != row.kind) with_argument.push_back(row.name);
  }
  const Json allowed = {{"properties", {{"op", {{"not", {{"enum", others}}}}}}}};
  const Json reduces = {{"if", {{"properties", {{"op", {{"enum", with_argument}}}}}}},
                        {"then", {{"anyOf", Json::array({Requires("value"), Requires("operand")})}}}};
  const auto chain = [&](std::string_view description) {
    Json schema = Chain(description);
    schema["items"] = {{"allOf", Json::array({Reference("operation"), allowed, reduces})}};
    return schema;
  };
  return Object("From the loads to the multiply",
                {{"a", chain("On the elements of A")}, {"b", chain("On the elements of B")}}, Json::array());
}

Json Precisions() {
  return {{"description", "How products of f32 inputs are taken"},
          {"oneOf",
           {Constant(Name(Precision::kDefault), "ieee for f32, else of no meaning"),
            Constant(Name(Precision::kIeee), "In f32"),
            Constant(Name(Precision::kTf32), "Of the 11 leading bits of each factor, or better"),
            Constant(Name(Precision::kTf32x3), "Three products of tf32, close to ieee, or better")}}};
}

Json Config() {
  const Json positive = {{"type", "integer"}, {"minimum", 1}};
  Json properties = {
      {"schedule", {{"type", "string"}, {"enum", kScheduleNames}}},
      {"tile", {{"type", "array"}, {"description", "m, n, k"}, {"items", positive}, {"minItems", 3}, {"maxItems", 3}}},
      {"stages", positive},
      {"split_k", Described(positive, "CTAs that divide a tile's K between them")},
      {"cluster_k", Described(positive, "How many of those are one cluster")}};
  return Object("A pin, for tests and measurement; the planner chooses the rest", std::move(properties), Json::array());
}

}  // namespace

std::string SpecSchema() {
  const Json dim = {{"anyOf", Json::array({Reference("extent"), Constant("dynamic", "Chosen at launch")})}};
  Json properties;
  properties["version"] = {{"const", 1}};
  properties["name"] = {{"type", "string"}, {"description", "For people; part of no id"}, {"maxLength", kMaxNameBytes}};
  properties["dims"] = Named("Extents by name, in elements, or \"dynamic\"", dim);
  properties["inputs"] = Named("Tensors and scalars by name", Reference("tensor"));
  properties["inputs"]["maxProperties"] = kMaxTensors;
  properties["matmul"] = Object("The product A [M, K] B [K, N] of two inputs of one dtype",
                                {{"a", Reference("identifier")}, {"b", Reference("identifier")}}, {"a", "b"});
  properties["precision"] = Precisions();
  properties["deterministic"] = {
      {"type", "boolean"}, {"description", "The same inputs give the same bits"}, {"default", true}};
  properties["prologue"] = Prologue();
  properties["epilogue"] = Epilogue();
  properties["config"] = Config();
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "A gemmd kernel spec"}};
  schema.update(Object("A matmul and the operations fused into it", std::move(properties),
                       {"version", "inputs", "matmul", "epilogue"}));
  schema["$defs"] = {{"identifier", Identifier()},         {"extent", Extent()}, {"dtype", DTypes(IsImplemented)},
                     {"stored_dtype", DTypes(IsStorable)}, {"number", Number()}, {"tensor", Tensor()},
                     {"operation", OperationSchema()}};
  return schema.dump(2) + "\n";
}

}  // namespace gemmd
