#include "plan/manifest.h"

namespace gemmd {
namespace {

std::int64_t SizeBytes(ParamKind kind) {
  switch (kind) {
    case ParamKind::kInputPointer:
    case ParamKind::kInputLd:
    case ParamKind::kOutputPointer:
    case ParamKind::kOutputLd:
      return 8;
    case ParamKind::kScalar:
    case ParamKind::kM:
    case ParamKind::kN:
    case ParamKind::kK:
      return 4;
  }
  return 0;
}

std::int64_t RoundUp(std::int64_t value, std::int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

void Append(std::vector<ParamField>& fields, ParamKind kind, std::size_t index) {
  const std::int64_t end = fields.empty() ? 0 : fields.back().offset_bytes + SizeBytes(fields.back().kind);
  fields.push_back({kind, static_cast<int>(index), RoundUp(end, SizeBytes(kind))});
}

}  // namespace

std::string_view Name(ParamKind kind) {
  switch (kind) {
    case ParamKind::kInputPointer:
      return "input_pointer";
    case ParamKind::kInputLd:
      return "input_ld";
    case ParamKind::kOutputPointer:
      return "output_pointer";
    case ParamKind::kOutputLd:
      return "output_ld";
    case ParamKind::kScalar:
      return "scalar";
    case ParamKind::kM:
      return "m";
    case ParamKind::kN:
      return "n";
    case ParamKind::kK:
      return "k";
  }
  return "";
}

std::vector<ParamField> ParamLayout(const Graph& graph) {
  std::vector<ParamField> fields;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (graph.inputs[i].broadcast != Broadcast::kScalar) Append(fields, ParamKind::kInputPointer, i);
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) Append(fields, ParamKind::kOutputPointer, i);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (graph.inputs[i].broadcast == Broadcast::kFull) Append(fields, ParamKind::kInputLd, i);
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) Append(fields, ParamKind::kOutputLd, i);
  for (ParamKind kind : {ParamKind::kM, ParamKind::kN, ParamKind::kK}) Append(fields, kind, 0);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (graph.inputs[i].broadcast == Broadcast::kScalar) Append(fields, ParamKind::kScalar, i);
  }
  return fields;
}

std::int64_t ParamBytes(const std::vector<ParamField>& fields) {
  if (fields.empty()) return 0;
  return RoundUp(fields.back().offset_bytes + SizeBytes(fields.back().kind), 8);
}

}  // namespace gemmd
