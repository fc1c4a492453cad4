#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "plan/artifact_json.h"
#include "plan/manifest.h"

namespace gemmd {
namespace {

using nlohmann::json;

template <typename T>
json OrNull(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json ToJson(const Dim3& dim) { return {{"x", dim.x}, {"y", dim.y}, {"z", dim.z}}; }

json ToJson(const LaunchStep& step) {
  json params = json::array();
  for (const ParamField& field : step.params) {
    params.push_back({{"kind", Name(field.kind)}, {"index", field.index}, {"offset_bytes", field.offset_bytes}});
  }
  json maps = json::array();
  for (const TensorMapRecipe& map : step.tensor_maps) {
    maps.push_back({{"input", map.input},
                    {"box_contiguous", map.box_contiguous},
                    {"box_lines", map.box_lines},
                    {"swizzle_bytes", map.swizzle_bytes},
                    {"l2_promotion_bytes", map.l2_promotion_bytes}});
  }
  return {{"entry", step.entry},
          {"module", step.module},
          {"grid",
           {{"tile_m", step.grid.tile_m},
            {"tile_n", step.grid.tile_n},
            {"ctas_per_sm", step.grid.ctas_per_sm},
            {"least_ctas", step.grid.least_ctas},
            {"ctas_per_tile", step.grid.ctas_per_tile},
            {"rows", Name({step.grid.rows})},
            {"columns", Name({step.grid.columns})}}},
          {"tensor_maps", std::move(maps)},
          {"block", ToJson(step.block)},
          {"cluster", ToJson(step.cluster)},
          {"shared_bytes", step.shared_bytes},
          {"cooperative", step.cooperative},
          {"programmatic_dependent", step.programmatic_dependent},
          {"params", std::move(params)},
          {"param_bytes", step.param_bytes}};
}

json ToJson(const Variant& variant) {
  json launches = json::array();
  for (const LaunchStep& step : variant.launches) launches.push_back(ToJson(step));
  return {{"m_min", variant.m_min},
          {"m_max", variant.m_max},
          {"workspace",
           {{"rows", variant.workspace.rows},
            {"zeroed_bytes", variant.workspace.zeroed_bytes},
            {"bytes", variant.workspace.bytes}}},
          {"launches", std::move(launches)}};
}

json ToJson(const std::vector<ManifestTensor>& tensors) {
  json list = json::array();
  for (const ManifestTensor& tensor : tensors) {
    list.push_back({{"name", tensor.name},
                    {"dtype", Name(tensor.dtype)},
                    {"layout", Name(tensor.layout)},
                    {"extents", tensor.extents},
                    {"alignment_bytes", tensor.alignment_bytes}});
  }
  return list;
}

std::optional<ParamKind> ParamKindFromName(std::string_view name) {
  for (ParamKind kind : {ParamKind::kInputPointer, ParamKind::kInputLd, ParamKind::kOutputPointer, ParamKind::kOutputLd,
                         ParamKind::kIntermediatePointer, ParamKind::kIntermediateLd, ParamKind::kWorkspaceCounters,
                         ParamKind::kWorkspaceParts, ParamKind::kScalar, ParamKind::kM, ParamKind::kN, ParamKind::kK,
                         ParamKind::kTensorMap}) {
    if (Name(kind) == name) return kind;
  }
  return std::nullopt;
}

std::optional<std::string> KnownExtents(std::string extents) {
  return AxesFromName(extents) ? std::optional(std::move(extents)) : std::nullopt;
}

std::vector<ManifestTensor> ReadTensors(ArtifactReader& reader, const json& list) {
  std::vector<ManifestTensor> tensors;
  for (const json& entry : list) {
    tensors.push_back({reader.Text(entry, "name"), reader.Named<DType>(entry, "dtype", DTypeFromName),
                       reader.Named<Layout>(entry, "layout", LayoutFromName),
                       reader.Named<std::string>(entry, "extents", KnownExtents),
                       reader.Int(entry, "alignment_bytes", 1, kAccessBytes)});
  }
  return tensors;
}

Dim3 ReadDim3(ArtifactReader& reader, const json& object) {
  return {reader.Int(object, "x", 1), reader.Int(object, "y", 1), reader.Int(object, "z", 1)};
}

std::optional<Axis> AxisFromName(std::string_view name) {
  const std::optional<Axes> axes = AxesFromName(name);
  return axes && axes->size() == 1 ? std::optional(axes->front()) : std::nullopt;
}

// Launchers index tensors and parameter bytes by what this lets through.
ParamField ReadParam(ArtifactReader& reader, const json& entry, const Manifest& manifest, const LaunchStep& step) {
  ParamField field;
  field.kind = reader.Named<ParamKind>(entry, "kind", ParamKindFromName);
  field.index = reader.Int(entry, "index", 0);
  field.offset_bytes = reader.Integer(entry, "offset_bytes", 0);
  std::size_t bound = 1;
  std::int64_t size_bytes = 4;
  switch (field.kind) {
    case ParamKind::kInputPointer:
    case ParamKind::kInputLd:
      bound = manifest.inputs.size();
      size_bytes = 8;
      break;
    case ParamKind::kOutputPointer:
    case ParamKind::kOutputLd:
      bound = manifest.outputs.size();
      size_bytes = 8;
      break;
    case ParamKind::kIntermediatePointer:
    case ParamKind::kIntermediateLd:
      bound = manifest.intermediates.size();
      size_bytes = 8;
      break;
    case ParamKind::kWorkspaceCounters:
    case ParamKind::kWorkspaceParts:
      size_bytes = 8;
      break;
    case ParamKind::kScalar:
      bound = manifest.inputs.size();
      break;
    case ParamKind::kTensorMap:
      bound = step.tensor_maps.size();
      size_bytes = 128;
      break;
    case ParamKind::kM:
    case ParamKind::kN:
    case ParamKind::kK:
      break;
  }
  if (static_cast<std::size_t>(field.index) >= bound) reader.Fail("index");
  if (field.offset_bytes > step.param_bytes - size_bytes) reader.Fail("offset_bytes");
  return field;
}

LaunchStep ReadStep(ArtifactReader& reader, const json& entry, const Manifest& manifest) {
  LaunchStep step;
  step.entry = reader.Text(entry, "entry");
  step.module = reader.Int(entry, "module", 0, std::max(0, static_cast<int>(manifest.cubin_keys.size()) - 1));
  constexpr int kMaxCtasPerTile = 1 << 16;
  const json& grid = reader.Object(entry, "grid");
  step.grid = {reader.Int(grid, "tile_m", 1),
               reader.Int(grid, "tile_n", 1),
               reader.Int(grid, "ctas_per_sm", 0),
               reader.Int(grid, "least_ctas", 0),
               reader.Int(grid, "ctas_per_tile", 1, kMaxCtasPerTile),
               reader.Named<Axis>(grid, "rows", AxisFromName),
               reader.Named<Axis>(grid, "columns", AxisFromName)};
  step.block = ReadDim3(reader, reader.Object(entry, "block"));
  step.cluster = ReadDim3(reader, reader.Object(entry, "cluster"));
  step.shared_bytes = reader.Integer(entry, "shared_bytes", 0);
  step.cooperative = reader.Bool(entry, "cooperative");
  step.programmatic_dependent = reader.Bool(entry, "programmatic_dependent");
  constexpr int kMaxParamBytes = 32764;  // of a kernel on any GPU
  step.param_bytes = reader.Int(entry, "param_bytes", 0, kMaxParamBytes);
  constexpr int kMaxBox = 256;  // elements along either dimension
  const int last_input = std::max(0, static_cast<int>(manifest.inputs.size() + manifest.intermediates.size()) - 1);
  for (const json& map : reader.List(entry, "tensor_maps")) {
    step.tensor_maps.push_back({reader.Int(map, "input", 0, last_input), reader.Int(map, "box_contiguous", 1, kMaxBox),
                                reader.Int(map, "box_lines", 1, kMaxBox), reader.Int(map, "swizzle_bytes", 0, 128),
                                reader.Int(map, "l2_promotion_bytes", 128, 256)});
  }
  for (const json& param : reader.List(entry, "params")) {
    step.params.push_back(ReadParam(reader, param, manifest, step));
  }
  return step;
}

Variant ReadVariant(ArtifactReader& reader, const json& entry, const Manifest& manifest) {
  Variant variant;
  variant.m_min = reader.Integer(entry, "m_min", 0);
  variant.m_max = reader.Integer(entry, "m_max", variant.m_min);
  const json& workspace = reader.Object(entry, "workspace");
  variant.workspace = {reader.Int(workspace, "rows", 1), reader.Integer(workspace, "zeroed_bytes", 0),
                       reader.Integer(workspace, "bytes", 0)};
  for (const json& step : reader.List(entry, "launches")) {
    variant.launches.push_back(ReadStep(reader, step, manifest));
  }
  return variant;
}

}  // namespace

std::string ManifestToJson(const Manifest& manifest) {
  json variants = json::array();
  for (const Variant& variant : manifest.variants) variants.push_back(ToJson(variant));
  const json root = {{"version", manifest.version},
                     {"spec_id", manifest.spec_id},
                     {"plan_id", manifest.plan_id},
                     {"cubin_keys", manifest.cubin_keys},
                     {"arch", Name(manifest.arch)},
                     {"m", OrNull(manifest.m)},
                     {"n", OrNull(manifest.n)},
                     {"k", OrNull(manifest.k)},
                     {"inputs", ToJson(manifest.inputs)},
                     {"outputs", ToJson(manifest.outputs)},
                     {"intermediates", ToJson(manifest.intermediates)},
                     {"variants", std::move(variants)}};
  return root.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Manifest> ManifestFromJson(std::string_view text) {
  ArtifactReader reader("manifest");
  const json root = reader.Parse(text);
  Manifest manifest;
  manifest.version = reader.Int(root, "version", kManifestVersion, kManifestVersion);
  manifest.spec_id = reader.Text(root, "spec_id");
  manifest.plan_id = reader.Text(root, "plan_id");
  for (const json& key : reader.List(root, "cubin_keys")) {
    if (!key.is_string()) reader.Fail("cubin_keys");
    manifest.cubin_keys.push_back(key.is_string() ? key.get<std::string>() : "");
  }
  manifest.arch = reader.Named<Arch>(root, "arch", ArchFromName);
  manifest.m = reader.OptionalInteger(root, "m");
  manifest.n = reader.OptionalInteger(root, "n");
  manifest.k = reader.OptionalInteger(root, "k");
  manifest.inputs = ReadTensors(reader, reader.List(root, "inputs"));
  manifest.outputs = ReadTensors(reader, reader.List(root, "outputs"));
  manifest.intermediates = ReadTensors(reader, reader.List(root, "intermediates"));
  for (const json& variant : reader.List(root, "variants")) {
    manifest.variants.push_back(ReadVariant(reader, variant, manifest));
  }
  GEMMD_RETURN_IF_ERROR(reader.status());
  return manifest;
}

}  // namespace gemmd
