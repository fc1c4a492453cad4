#include "client/wire.h"

#include <optional>
#include <utility>

#include "base/status.h"
#include "proto/dtype_convert.h"

namespace gemmd {
namespace {

template <typename Message>
std::vector<KernelShape> KernelsOf(const Message& message) {
  std::vector<KernelShape> kernels;
  for (const v1::PlannedKernel& kernel : message.kernels()) kernels.push_back(FromWire(kernel));
  return kernels;
}

template <typename Message>
std::vector<VariantShape> VariantsOf(const Message& message) {
  std::vector<VariantShape> variants;
  for (const v1::PlannedVariant& variant : message.variants()) {
    variants.push_back({variant.m_min(), variant.m_max(), {variant.kernels().begin(), variant.kernels().end()}});
  }
  return variants;
}

std::vector<std::string> TextsOf(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

}  // namespace

KernelShape FromWire(const v1::PlannedKernel& kernel) {
  KernelShape shape;
  shape.family = kernel.family();
  shape.tile.assign(kernel.tile().begin(), kernel.tile().end());
  shape.micro.assign(kernel.micro().begin(), kernel.micro().end());
  shape.stages = kernel.stages();
  shape.split_k = kernel.split_k();
  shape.cluster_k = kernel.cluster_k();
  shape.threads = kernel.threads();
  shape.shared_bytes = kernel.shared_bytes();
  return shape;
}

std::string_view Name(HealthState state) {
  switch (state) {
    case HealthState::kServing:
      return "serving";
    case HealthState::kNotServing:
      return "not serving";
    case HealthState::kUnknown:
      break;
  }
  return "unknown";
}

ValidationReport FromWire(v1::ValidateResponse&& response) {
  ValidationReport report;
  for (const v1::SpecError& error : response.errors()) {
    report.errors.push_back(
        {error.place(), error.found(), error.expected(), error.suggestion(), error.unimplemented()});
  }
  report.spec_id = std::move(*response.mutable_spec_id());
  return report;
}

PlanReport FromWire(v1::PlanResponse&& response) {
  PlanReport report;
  report.spec_id = std::move(*response.mutable_spec_id());
  report.plan_id = std::move(*response.mutable_plan_id());
  report.cubin_keys = TextsOf(response.cubin_keys());
  report.arch = std::move(*response.mutable_arch());
  report.summary = std::move(*response.mutable_summary());
  report.kernels = KernelsOf(response);
  report.reasons = TextsOf(response.reasons());
  report.variants = VariantsOf(response);
  report.sources = TextsOf(response.sources());
  return report;
}

CompileReport FromWire(v1::CompileResponse&& response) {
  CompileReport report;
  report.spec_id = std::move(*response.mutable_spec_id());
  report.plan_id = std::move(*response.mutable_plan_id());
  report.cubin_keys = TextsOf(response.cubin_keys());
  report.arch = std::move(*response.mutable_arch());
  report.cache_tier = std::move(*response.mutable_cache_tier());
  report.uncompiled = std::move(*response.mutable_uncompiled());
  report.compile_us = response.compile_us();
  report.elapsed_us = response.elapsed_us();
  report.cubin_bytes = response.cubin_bytes();
  report.registers = response.registers();
  report.spill_bytes = response.spill_bytes();
  report.kernels = KernelsOf(response);
  report.variants = VariantsOf(response);
  report.reasons = TextsOf(response.reasons());
  return report;
}

KernelReport FromWire(v1::Kernel&& response) {
  KernelReport report;
  report.manifest = std::move(*response.mutable_manifest());
  report.sources = TextsOf(response.source());
  for (std::string& cubin : *response.mutable_cubin()) report.cubins.push_back(std::move(cubin));
  return report;
}

DevicesReport FromWire(v1::ListDevicesResponse&& response) {
  DevicesReport report;
  for (const v1::DeviceDescription& device : response.devices()) {
    report.devices.push_back({device.id(), device.kind(), device.name(), device.arch(), device.driver(),
                              device.memory_bytes(), device.slots(), device.sm_count()});
  }
  report.nvrtc = std::move(*response.mutable_nvrtc());
  report.default_arch = std::move(*response.mutable_default_arch());
  return report;
}

absl::StatusOr<RunReport> FromWire(v1::RunSummary&& summary) {
  RunReport report;
  report.compile = FromWire(std::move(*summary.mutable_compile()));
  report.device = std::move(*summary.mutable_device());
  report.launch_us = summary.launch_us();
  report.elapsed_us = summary.elapsed_us();
  for (const v1::RunSummary::Output& output : summary.outputs()) {
    const std::optional<DType> dtype = FromProto(output.dtype());
    if (!dtype) return DataLoss("output \"{}\" has dtype {}, unknown to this client", output.name(), output.dtype());
    report.outputs.push_back({output.name(), *dtype, {output.shape().begin(), output.shape().end()}});
  }
  return report;
}

v1::Target ToWire(const CompileTarget& target) {
  v1::Target wire;
  if (!target.device.empty()) wire.set_device(target.device);
  if (!target.arch.empty()) wire.set_arch(target.arch);
  return wire;
}

v1::RunHeader HeaderToWire(const RunCall& call) {
  v1::RunHeader header;
  header.mutable_spec()->set_json(call.spec_json);
  header.set_device(call.device);
  header.mutable_dims()->insert(call.dims.begin(), call.dims.end());
  header.mutable_scalars()->insert(call.scalars.begin(), call.scalars.end());
  return header;
}

v1::LaunchRequest ToWire(const LaunchCall& call) {
  v1::LaunchRequest request;
  request.mutable_spec()->set_json(call.spec_json);
  request.set_device(call.device);
  request.mutable_dims()->insert(call.dims.begin(), call.dims.end());
  request.mutable_scalars()->insert(call.scalars.begin(), call.scalars.end());
  for (const auto& [name, tensor] : call.tensors) {
    v1::TensorArgument& argument = (*request.mutable_tensors())[name];
    argument.set_buffer(tensor.start.buffer);
    argument.set_offset_bytes(tensor.start.offset_bytes);
    argument.set_leading_dimension(tensor.leading_dimension);
  }
  return request;
}

}  // namespace gemmd
