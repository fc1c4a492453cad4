#include "runtime/launch_plan.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/status.h"
#include "runtime/tensor_placement.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

constexpr std::int64_t kMaxGridX = kMaxExtent;  // a persistent CTA's index steps past it

absl::Status CheckExtents(const Manifest& manifest, const GemmShape& shape) {
  const auto check = [](std::string_view name, std::int64_t extent, std::optional<std::int64_t> literal) {
    if (extent < 0 || extent > kMaxExtent) {
      return InvalidArgument("{} is {}, expected 0 to {}", name, extent, kMaxExtent);
    }
    if (literal.has_value() && extent != *literal) {
      return InvalidArgument("{} is {}, but the kernel was made for {} = {}", name, extent, name, *literal);
    }
    return absl::OkStatus();
  };
  GEMMD_RETURN_IF_ERROR(check("M", shape.m, manifest.m));
  GEMMD_RETURN_IF_ERROR(check("N", shape.n, manifest.n));
  return check("K", shape.k, manifest.k);
}

absl::Status CheckCounts(const Manifest& manifest, const LaunchRequest& request) {
  const auto check = [](std::string_view what, std::size_t found, std::size_t expected) {
    if (found == expected) return absl::OkStatus();
    return InvalidArgument("the launch has {} {}, expected {}", found, what, expected);
  };
  GEMMD_RETURN_IF_ERROR(check("inputs", request.inputs.size(), manifest.inputs.size()));
  GEMMD_RETURN_IF_ERROR(check("outputs", request.outputs.size(), manifest.outputs.size()));
  bool has_scalars = false;
  for (const ManifestTensor& input : manifest.inputs) has_scalars |= input.extents.empty();
  if (!has_scalars && request.scalars.empty()) return absl::OkStatus();
  return check("scalar values (one for each input)", request.scalars.size(), manifest.inputs.size());
}

std::int64_t CeilDiv(std::int64_t value, std::int64_t divisor) { return (value + divisor - 1) / divisor; }

std::int64_t ExtentOf(const GemmShape& shape, Axis axis) {
  switch (axis) {
    case Axis::kM:
      return shape.m;
    case Axis::kN:
      return shape.n;
    case Axis::kHalfN:
      return shape.n / 2;
    case Axis::kK:
      break;
  }
  return shape.k;
}

absl::StatusOr<std::int64_t> GridX(const GridFormula& grid, const GemmShape& shape) {
  if (grid.tile_m <= 0 || grid.tile_n <= 0 || grid.ctas_per_tile <= 0) {
    return Internal("the manifest has a tile of {}x{}", grid.tile_m, grid.tile_n);
  }
  // Both factors are at most kMaxExtent: no overflow.
  const std::int64_t tiles =
      CeilDiv(ExtentOf(shape, grid.rows), grid.tile_m) * CeilDiv(ExtentOf(shape, grid.columns), grid.tile_n);
  if (tiles > kMaxGridX / grid.ctas_per_tile) {
    return InvalidArgument("{} CTAs for each of {} tiles are more than one launch can have ({})", grid.ctas_per_tile,
                           tiles, kMaxGridX);
  }
  return tiles * grid.ctas_per_tile;
}

// Writes fields into a launch's parameter struct; the first bad field is kept as the status.
class ParamWriter {
 public:
  ParamWriter(const LaunchRequest& request, const LaunchPlan& plan, std::int64_t param_bytes)
      : request_(request), plan_(plan), bytes_(static_cast<std::size_t>(std::max<std::int64_t>(param_bytes, 0))) {}

  void Write(const ParamField& field) {
    switch (field.kind) {
      case ParamKind::kInputPointer:
        return PutTensor(field, plan_.inputs, &PlacedTensor::address);
      case ParamKind::kInputLd:
        return PutTensor(field, plan_.inputs, &PlacedTensor::leading_dimension);
      case ParamKind::kOutputPointer:
        return PutTensor(field, plan_.outputs, &PlacedTensor::address);
      case ParamKind::kOutputLd:
        return PutTensor(field, plan_.outputs, &PlacedTensor::leading_dimension);
      case ParamKind::kIntermediatePointer:
        return PutTensor(field, plan_.intermediates, &PlacedTensor::address);
      case ParamKind::kIntermediateLd:
        return PutTensor(field, plan_.intermediates, &PlacedTensor::leading_dimension);
      case ParamKind::kWorkspaceCounters:
        return Put(field, plan_.counters.address);
      case ParamKind::kWorkspaceParts:
        return Put(field, plan_.parts);
      case ParamKind::kScalar:
        if (!InRange(field, request_.scalars.size())) return;
        return Put(field, request_.scalars[static_cast<std::size_t>(field.index)]);
      case ParamKind::kM:
        return Put(field, static_cast<std::int32_t>(request_.shape.m));
      case ParamKind::kN:
        return Put(field, static_cast<std::int32_t>(request_.shape.n));
      case ParamKind::kK:
        return Put(field, static_cast<std::int32_t>(request_.shape.k));
      case ParamKind::kTensorMap:
        return Put(field, std::array<std::byte, kTensorMapBytes>{});
    }
  }

  absl::StatusOr<LaunchParams> Finish() && {
    if (!status_.ok()) return status_;
    return std::move(bytes_);
  }

 private:
  bool InRange(const ParamField& field, std::size_t count) {
    if (field.index >= 0 && static_cast<std::size_t>(field.index) < count) return true;
    status_ =
        Internal("the manifest has a parameter {} of tensor {}, which there is not", Name(field.kind), field.index);
    return false;
  }

  template <typename Member>
  void PutTensor(const ParamField& field, const PlacedTensors& tensors, Member PlacedTensor::*member) {
    if (InRange(field, tensors.size())) Put(field, tensors[static_cast<std::size_t>(field.index)].*member);
  }

  template <typename Value>
  void Put(const ParamField& field, Value value) {
    const auto size = static_cast<std::int64_t>(bytes_.size());
    if (field.offset_bytes < 0 || field.offset_bytes > size - static_cast<std::int64_t>(sizeof value)) {
      status_ = Internal("the manifest has a parameter at offset {} of {} bytes", field.offset_bytes, size);
      return;
    }
    std::memcpy(bytes_.data() + field.offset_bytes, &value, sizeof value);
  }

  const LaunchRequest& request_;
  const LaunchPlan& plan_;
  LaunchParams bytes_;
  absl::Status status_;
};

absl::Status PlaceTensors(const Manifest& manifest, const LaunchRequest& request, std::span<const MemoryRange> inputs,
                          std::span<const MemoryRange> outputs, LaunchPlan* plan) {
  absl::InlinedVector<CheckedTensor, kInlineTensors> checked_inputs, checked_outputs;
  for (std::size_t i = 0; i < manifest.inputs.size(); ++i) {
    GEMMD_ASSIGN_OR_RETURN(const CheckedTensor tensor,
                           PlaceTensor(manifest.inputs[i], "input", i, request.shape, request.inputs[i], inputs[i]));
    plan->inputs.push_back(tensor.placed);
    checked_inputs.push_back(tensor);
  }
  for (std::size_t i = 0; i < manifest.outputs.size(); ++i) {
    GEMMD_ASSIGN_OR_RETURN(const CheckedTensor tensor, PlaceTensor(manifest.outputs[i], "output", i, request.shape,
                                                                   request.outputs[i], outputs[i]));
    plan->outputs.push_back(tensor.placed);
    checked_outputs.push_back(tensor);
  }
  return CheckOverlaps(checked_inputs, checked_outputs);
}

// Lays the intermediates and the workspace out from `address` on; their bytes together.
absl::StatusOr<std::int64_t> PlaceScratch(const Manifest& manifest, const GemmShape& shape, std::uint64_t address,
                                          LaunchPlan& plan) {
  constexpr std::int64_t kAlignmentBytes = 256;
  std::int64_t total = 0;
  const auto add = [&](std::int64_t bytes) -> absl::Status {
    const bool fits = bytes <= INT64_MAX - kAlignmentBytes &&
                      !__builtin_add_overflow(total, CeilDiv(bytes, kAlignmentBytes) * kAlignmentBytes, &total);
    return fits ? absl::OkStatus() : ResourceExhausted("the intermediates are larger than any memory");
  };
  const auto next = [&] { return address + static_cast<std::uint64_t>(total); };
  for (const ManifestTensor& tensor : manifest.intermediates) {
    GEMMD_ASSIGN_OR_RETURN(const PlacedTensor placed, PlaceIntermediate(tensor, shape, next()));
    plan.intermediates.push_back(placed);
    GEMMD_RETURN_IF_ERROR(add(BytesOf(placed, tensor.dtype)));
  }
  if (shape.m == 0) return total;
  GEMMD_ASSIGN_OR_RETURN(const std::size_t variant, SelectVariant(manifest, shape.m));
  const Workspace& workspace = manifest.variants[variant].workspace;
  if (workspace.bytes == 0) return total;
  if (workspace.rows <= 0) return Internal("the manifest has a workspace for every {} rows", workspace.rows);
  const std::int64_t blocks = CeilDiv(shape.m, workspace.rows);
  std::int64_t zeroed_bytes = 0, part_bytes = 0;
  if (__builtin_mul_overflow(blocks, workspace.zeroed_bytes, &zeroed_bytes) ||
      __builtin_mul_overflow(blocks, workspace.bytes, &part_bytes)) {
    return ResourceExhausted("the workspace is larger than any memory");
  }
  plan.counters = {next(), zeroed_bytes};
  GEMMD_RETURN_IF_ERROR(add(zeroed_bytes));
  plan.parts = next();
  GEMMD_RETURN_IF_ERROR(add(part_bytes));
  return total;
}

}  // namespace

absl::StatusOr<std::int64_t> ScratchBytes(const Manifest& manifest, const GemmShape& shape) {
  GEMMD_RETURN_IF_ERROR(CheckExtents(manifest, shape));
  LaunchPlan plan;
  return PlaceScratch(manifest, shape, 0, plan);
}

absl::StatusOr<std::size_t> SelectVariant(const Manifest& manifest, std::int64_t m) {
  for (std::size_t i = 0; i < manifest.variants.size(); ++i) {
    if (manifest.variants[i].m_min <= m && m <= manifest.variants[i].m_max) return i;
  }
  return InvalidArgument("no variant of the kernel covers M = {}", m);
}

bool CanRun(const Arch& image, const Arch& device) {
  if (image.major != device.major) return false;
  return image.specific ? device.specific && image.minor == device.minor : image.minor <= device.minor;
}

absl::StatusOr<LaunchPlan> PlanLaunch(const Manifest& manifest, const LaunchRequest& request,
                                      std::span<const MemoryRange> inputs, std::span<const MemoryRange> outputs,
                                      std::uint64_t scratch) {
  GEMMD_RETURN_IF_ERROR(CheckCounts(manifest, request));
  if (inputs.size() != request.inputs.size() || outputs.size() != request.outputs.size()) {
    return Internal("{} inputs and {} outputs were resolved", inputs.size(), outputs.size());
  }
  GEMMD_RETURN_IF_ERROR(CheckExtents(manifest, request.shape));
  LaunchPlan plan;
  GEMMD_RETURN_IF_ERROR(PlaceTensors(manifest, request, inputs, outputs, &plan));
  GEMMD_RETURN_IF_ERROR(PlaceScratch(manifest, request.shape, scratch, plan).status());
  if (request.shape.m == 0) return plan;
  GEMMD_ASSIGN_OR_RETURN(plan.variant, SelectVariant(manifest, request.shape.m));
  const std::vector<LaunchStep>& launches = manifest.variants[plan.variant].launches;
  for (std::size_t i = 0; i < launches.size(); ++i) {
    PlannedStep step;
    step.index = i;
    GEMMD_ASSIGN_OR_RETURN(step.grid_x, GridX(launches[i].grid, request.shape));
    if (step.grid_x == 0) continue;  // a factor, or a result, without elements
    ParamWriter writer(request, plan, launches[i].param_bytes);
    for (const ParamField& field : launches[i].params) writer.Write(field);
    GEMMD_ASSIGN_OR_RETURN(step.params, std::move(writer).Finish());
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

}  // namespace gemmd
