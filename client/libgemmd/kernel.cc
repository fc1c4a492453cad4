#include "client/libgemmd/kernel.h"

#include <spdlog/spdlog.h>

#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "base/status.h"
#include "runtime/launch_plan.h"

namespace gemmd {
namespace {

using MemoryRanges = absl::InlinedVector<MemoryRange, kInlineTensors>;

absl::StatusOr<std::int64_t> ExtentFrom(std::string_view name, std::int64_t given,
                                        std::optional<std::int64_t> literal) {
  if (given != GEMMD_OF_SPEC) return given;
  if (literal) return *literal;
  return InvalidArgument("shape.{}: missing; it is dynamic, given at launch", name);
}

// The tensors of one side as bindings to memory of which only the start is known.
absl::Status Bind(std::string_view side, const std::vector<ManifestTensor>& tensors,
                  std::span<const gemmd_tensor> given, const GemmShape& shape, TensorBindings* bindings,
                  MemoryRanges* ranges) {
  const bool has_elements = shape.m > 0 && shape.n > 0 && shape.k > 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto address = reinterpret_cast<std::uint64_t>(given[i].data);
    const bool is_scalar = i < tensors.size() && tensors[i].extents.empty();
    if (address == 0 && !is_scalar && has_elements && i < tensors.size()) {
      return InvalidArgument("{} \"{}\": its pointer is null", side, tensors[i].name);
    }
    bindings->push_back({.buffer = {}, .offset_bytes = 0, .leading_dimension = given[i].leading_dimension});
    ranges->push_back({.address = address, .bytes = address == 0 ? 0 : std::numeric_limits<std::int64_t>::max()});
  }
  return absl::OkStatus();
}

absl::Status CheckArray(std::string_view name, const gemmd_tensor* tensors, std::size_t count) {
  if (tensors != nullptr || count == 0) return absl::OkStatus();
  return InvalidArgument("{}: null, with a count of {}", name, count);
}

absl::Status CheckWorkspace(std::uint64_t address, std::int64_t bytes, std::int64_t needed_bytes) {
  constexpr std::uint64_t kAlignmentBytes = 256;
  if (needed_bytes == 0) return absl::OkStatus();
  if (address == 0 || bytes < needed_bytes) {
    return InvalidArgument("workspace: {} bytes, expected {}", address == 0 ? 0 : bytes, needed_bytes);
  }
  if (address % kAlignmentBytes != 0) {
    return InvalidArgument("workspace: it does not start on a multiple of {} bytes", kAlignmentBytes);
  }
  return absl::OkStatus();
}

}  // namespace

Kernel::Kernel(Manifest manifest, Cubins cubins, std::string report_json)
    : manifest_(std::move(manifest)),
      manifest_json_(ManifestToJson(manifest_)),
      cubins_(std::move(cubins)),
      report_json_(std::move(report_json)) {}

Kernel::~Kernel() {
  if (!loaded_) return;
  // Its modules are released on this thread.
  const BorrowedContext context = loaded_->context;
  const absl::StatusOr<BorrowedContext::Scope> scope = context.Enter();
  if (!scope.ok()) spdlog::error("a kernel outlived its context: {}", MessageOf(scope.status()));
  loaded_.reset();
}

absl::Status Kernel::Load(const Driver& driver, BorrowedContext context, const DeviceLimits& limits) {
  GEMMD_ASSIGN_OR_RETURN(LoadedImage image, LoadedImage::Load(driver, limits, manifest_, cubins_));
  loaded_.emplace(Loaded{.context = std::move(context), .image = std::move(image)});
  return absl::OkStatus();
}

absl::StatusOr<GemmShape> Kernel::ShapeOf(const gemmd_shape& shape) const {
  GemmShape resolved;
  GEMMD_ASSIGN_OR_RETURN(resolved.m, ExtentFrom("m", shape.m, manifest_.m));
  GEMMD_ASSIGN_OR_RETURN(resolved.n, ExtentFrom("n", shape.n, manifest_.n));
  GEMMD_ASSIGN_OR_RETURN(resolved.k, ExtentFrom("k", shape.k, manifest_.k));
  return resolved;
}

absl::StatusOr<std::int64_t> Kernel::WorkspaceBytes(const gemmd_shape& shape) const {
  GEMMD_ASSIGN_OR_RETURN(const GemmShape resolved, ShapeOf(shape));
  return ScratchBytes(manifest_, resolved);
}

absl::Status Kernel::Launch(const gemmd_launch_arguments& arguments, CUstream stream) const {
  if (!loaded_) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "the kernel was compiled for {} by name, and is loaded in no context: it can't be launched",
                      Name(manifest_.arch));
  }
  GEMMD_RETURN_IF_ERROR(CheckArray("inputs", arguments.inputs, arguments.input_count));
  GEMMD_RETURN_IF_ERROR(CheckArray("outputs", arguments.outputs, arguments.output_count));
  LaunchRequest request;
  GEMMD_ASSIGN_OR_RETURN(request.shape, ShapeOf(arguments.shape));
  const std::span<const gemmd_tensor> inputs(arguments.inputs, arguments.input_count);
  const std::span<const gemmd_tensor> outputs(arguments.outputs, arguments.output_count);
  MemoryRanges input_memory, output_memory;
  GEMMD_RETURN_IF_ERROR(Bind("input", manifest_.inputs, inputs, request.shape, &request.inputs, &input_memory));
  GEMMD_RETURN_IF_ERROR(Bind("output", manifest_.outputs, outputs, request.shape, &request.outputs, &output_memory));
  for (const gemmd_tensor& input : inputs) request.scalars.push_back(input.scalar);
  const auto workspace = reinterpret_cast<std::uint64_t>(arguments.workspace);
  GEMMD_ASSIGN_OR_RETURN(LaunchPlan plan, PlanLaunch(manifest_, request, input_memory, output_memory, workspace));
  if (plan.steps.empty()) return absl::OkStatus();
  GEMMD_ASSIGN_OR_RETURN(const std::int64_t needed_bytes, ScratchBytes(manifest_, request.shape));
  GEMMD_RETURN_IF_ERROR(CheckWorkspace(workspace, arguments.workspace_bytes, needed_bytes));
  GEMMD_ASSIGN_OR_RETURN(const BorrowedContext::Scope scope, loaded_->context.Enter());
  GEMMD_RETURN_IF_ERROR(loaded_->image.EncodeMaps(plan));
  return loaded_->image.Enqueue(plan, stream);
}

}  // namespace gemmd
