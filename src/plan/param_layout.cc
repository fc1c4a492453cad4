#include <algorithm>

#include "plan/manifest.h"
#include "plan/packing.h"

namespace gemmd {
namespace {

std::int64_t SizeBytes(ParamKind kind) {
  switch (kind) {
    case ParamKind::kInputPointer:
    case ParamKind::kInputLd:
    case ParamKind::kOutputPointer:
    case ParamKind::kOutputLd:
    case ParamKind::kIntermediatePointer:
    case ParamKind::kIntermediateLd:
    case ParamKind::kWorkspaceCounters:
    case ParamKind::kWorkspaceParts:
      return 8;
    case ParamKind::kScalar:
    case ParamKind::kM:
    case ParamKind::kN:
    case ParamKind::kK:
      return 4;
    case ParamKind::kTensorMap:
      return 128;
  }
  return 0;
}

std::int64_t RoundUp(std::int64_t value, std::int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

std::int64_t AlignmentBytes(ParamKind kind) { return kind == ParamKind::kTensorMap ? 64 : SizeBytes(kind); }

void Append(std::vector<ParamField>& fields, ParamKind kind, std::size_t index) {
  const std::int64_t end = fields.empty() ? 0 : fields.back().offset_bytes + SizeBytes(fields.back().kind);
  fields.push_back({kind, static_cast<int>(index), RoundUp(end, AlignmentBytes(kind))});
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
    case ParamKind::kIntermediatePointer:
      return "intermediate_pointer";
    case ParamKind::kIntermediateLd:
      return "intermediate_ld";
    case ParamKind::kWorkspaceCounters:
      return "workspace_counters";
    case ParamKind::kWorkspaceParts:
      return "workspace_parts";
    case ParamKind::kScalar:
      return "scalar";
    case ParamKind::kM:
      return "m";
    case ParamKind::kN:
      return "n";
    case ParamKind::kK:
      return "k";
    case ParamKind::kTensorMap:
      return "tensor_map";
  }
  return "";
}

std::vector<TensorMapRecipe> TensorMapsOf(const Graph& graph, const KernelConfig& config) {
  if (config.family != Family::kWgmma && config.family != Family::kSkinny) return {};
  // Measured on an H200, skinny's lines of 128 bytes: 64 x 14336 x 4096 in 37.3 us, and 38.4 where 256 are fetched.
  const int promotion_bytes = config.family == Family::kSkinny ? 128 : 256;
  const auto recipe = [&](int input, int tile, Layout contiguous_in_k) {
    // Along K a line of the tile is one swizzle span; across K the tile is boxes of 64 lines.
    return TensorMapRecipe{.input = input,
                           .box_contiguous = kSwizzleBytes / static_cast<int>(SizeBytes(graph.inputs[input].dtype)),
                           .box_lines = graph.inputs[input].layout == contiguous_in_k ? tile : 64,
                           .swizzle_bytes = kSwizzleBytes,
                           .l2_promotion_bytes = promotion_bytes};
  };
  // Where there is a gate, half of B's columns are of either half of N.
  const int columns = graph.IsGated() ? config.tile_n / 2 : config.tile_n;
  std::vector<TensorMapRecipe> maps;
  for (int i = 0; i < PartsOf(graph); ++i) maps.push_back(recipe(graph.a + i, config.tile_m, Layout::kRowMajor));
  for (int i = 0; i < PartsOf(graph); ++i) maps.push_back(recipe(graph.b + i, columns, Layout::kColumnMajor));
  return maps;
}

std::vector<ParamField> ParamLayout(const Graph& graph, const std::vector<TensorMapRecipe>& tensor_maps,
                                    bool has_workspace) {
  std::vector<ParamField> fields;
  for (std::size_t i = 0; i < tensor_maps.size(); ++i) Append(fields, ParamKind::kTensorMap, i);
  if (has_workspace) {
    Append(fields, ParamKind::kWorkspaceCounters, 0);
    Append(fields, ParamKind::kWorkspaceParts, 0);
  }
  std::vector<bool> is_operand(graph.inputs.size(), false);
  for (const std::vector<Node>* chain : graph.Chains()) {
    for (const Node& node : *chain) {
      for (const Reference& reference : node.References()) {
        if (reference.input >= 0) is_operand[reference.input] = true;
      }
    }
  }
  std::vector<bool> has_map(graph.inputs.size(), false);
  for (const TensorMapRecipe& recipe : tensor_maps) has_map[recipe.input] = true;
  const auto is_factor = [&](std::size_t i) {
    const auto index = static_cast<int>(i);
    return (index == graph.a || index == graph.b) && !has_map[i];
  };
  const auto has_pointer = [&](std::size_t i) {
    return !graph.inputs[i].axes.empty() && (is_operand[i] || is_factor(i));
  };
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (has_pointer(i)) Append(fields, ParamKind::kInputPointer, i);
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) Append(fields, ParamKind::kOutputPointer, i);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (has_pointer(i) && graph.inputs[i].axes.size() == 2) Append(fields, ParamKind::kInputLd, i);
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    if (graph.outputs[i].axes.size() == 2) Append(fields, ParamKind::kOutputLd, i);
  }
  for (ParamKind kind : {ParamKind::kM, ParamKind::kN, ParamKind::kK}) Append(fields, kind, 0);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (graph.inputs[i].axes.empty() && is_operand[i]) Append(fields, ParamKind::kScalar, i);
  }
  return fields;
}

std::int64_t ParamBytes(const std::vector<ParamField>& fields) {
  if (fields.empty()) return 0;
  const std::int64_t alignment = std::max<std::int64_t>(8, AlignmentBytes(fields.front().kind));
  return RoundUp(fields.back().offset_bytes + SizeBytes(fields.back().kind), alignment);
}

}  // namespace gemmd
