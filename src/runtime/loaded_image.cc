#include "runtime/loaded_image.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/status.h"
#include "cuda/launch.h"
#include "cuda/tensor_map.h"

namespace gemmd {
namespace {

LaunchExtent ExtentOf(const Dim3& dim) {
  return {static_cast<unsigned>(dim.x), static_cast<unsigned>(dim.y), static_cast<unsigned>(dim.z)};
}

LaunchGeometry GeometryOf(const LaunchStep& step, std::int64_t grid_x, int sm_count) {
  LaunchGeometry geometry;
  if (step.grid.ctas_per_sm > 0) grid_x = std::min(grid_x, std::int64_t{step.grid.ctas_per_sm} * sm_count);
  geometry.grid.x = static_cast<unsigned>(grid_x);
  geometry.block = ExtentOf(step.block);
  geometry.cluster = ExtentOf(step.cluster);
  geometry.shared_bytes = step.shared_bytes;
  geometry.cooperative = step.cooperative;
  geometry.programmatic_dependent = step.programmatic_dependent;
  return geometry;
}

// Encodes one kernel's tensor maps into its parameters.
absl::Status EncodeStep(const Driver& driver, const Manifest& manifest, const LaunchStep& launch,
                        const LaunchPlan& plan, LaunchParams& params) {
  for (const ParamField& field : launch.params) {
    if (field.kind != ParamKind::kTensorMap) continue;
    const TensorMapRecipe& recipe = launch.tensor_maps.at(static_cast<std::size_t>(field.index));
    const auto index = static_cast<std::size_t>(recipe.input), inputs = plan.inputs.size();
    const PlacedTensor& tensor = index < inputs ? plan.inputs[index] : plan.intermediates.at(index - inputs);
    const DType dtype = index < inputs ? manifest.inputs[index].dtype : manifest.intermediates[index - inputs].dtype;
    if (tensor.lines == 0 || tensor.line_elements == 0) continue;  // nothing will be copied
    GEMMD_ASSIGN_OR_RETURN(const CUtensorMap map,
                           EncodeTensorMap(driver, {.dtype = dtype,
                                                    .address = tensor.address,
                                                    .line_elements = tensor.line_elements,
                                                    .lines = tensor.lines,
                                                    .leading_dimension = tensor.leading_dimension,
                                                    .box_contiguous = recipe.box_contiguous,
                                                    .box_lines = recipe.box_lines,
                                                    .swizzle_bytes = recipe.swizzle_bytes,
                                                    .l2_promotion_bytes = recipe.l2_promotion_bytes}));
    static_assert(sizeof map == kTensorMapBytes);
    std::memcpy(params.data() + field.offset_bytes, &map, sizeof map);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LoadedImage> LoadedImage::Load(const Driver& driver, const DeviceLimits& device, Manifest manifest,
                                              std::span<const std::shared_ptr<const std::string>> cubins) {
  if (!CanRun(manifest.arch, device.arch)) {
    return InvalidArgument("a kernel for {} does not run on a device that is {}", Name(manifest.arch),
                           Name(device.arch));
  }
  LoadedImage image(driver, device.sm_count, std::move(manifest));
  for (const std::shared_ptr<const std::string>& cubin : cubins) {
    GEMMD_ASSIGN_OR_RETURN(Module module, Module::Load(driver, *cubin));
    image.modules_.push_back(std::move(module));
  }
  for (const Variant& variant : image.manifest_.variants) {
    std::vector<KernelFunction>& functions = image.functions_.emplace_back();
    for (const LaunchStep& step : variant.launches) {
      if (step.grid.least_ctas > step.grid.ctas_per_sm * device.sm_count) {
        return InvalidArgument("a kernel of which {} CTAs wait for each other does not run on a device of {} SMs",
                               step.grid.least_ctas, device.sm_count);
      }
      const auto module = static_cast<std::size_t>(step.module);
      if (module >= image.modules_.size()) {
        return InvalidArgument("{} is in module {}, and there are {}", step.entry, step.module, cubins.size());
      }
      GEMMD_ASSIGN_OR_RETURN(KernelFunction function, image.modules_[module].Function(step.entry, step.shared_bytes));
      functions.push_back(function);
    }
  }
  return image;
}

absl::Status LoadedImage::EncodeMaps(LaunchPlan& plan) const {
  for (PlannedStep& step : plan.steps) {
    const LaunchStep& launch = manifest_.variants[plan.variant].launches[step.index];
    GEMMD_RETURN_IF_ERROR(EncodeStep(driver_, manifest_, launch, plan, step.params));
  }
  return absl::OkStatus();
}

absl::Status LoadedImage::Enqueue(const LaunchPlan& plan, CUstream stream) const {
  if (plan.counters.bytes > 0 && !plan.steps.empty()) {
    GEMMD_CUDA_RETURN_IF_ERROR(driver_, MemsetD8Async, plan.counters.address, 0,
                               static_cast<std::size_t>(plan.counters.bytes), stream);
  }
  for (const PlannedStep& step : plan.steps) {
    const LaunchStep& launch = manifest_.variants[plan.variant].launches[step.index];
    const LaunchGeometry geometry = GeometryOf(launch, step.grid_x, sm_count_);
    GEMMD_RETURN_IF_ERROR(LaunchKernel(driver_, functions_[plan.variant][step.index], geometry, step.params, stream));
  }
  return absl::OkStatus();
}

}  // namespace gemmd
