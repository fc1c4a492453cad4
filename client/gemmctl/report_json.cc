#include "client/gemmctl/report_json.h"

#include <fmt/format.h>

#include <cmath>

#include "client/gemmctl/report_text.h"

namespace gemmd {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) {
  if (std::isfinite(value)) return value;
  return fmt::format("{}", value);
}

Json KernelsJson(const std::vector<KernelShape>& kernels) {
  Json list = Json::array();
  for (const KernelShape& kernel : kernels) {
    list.push_back({{"family", kernel.family},
                    {"tile", kernel.tile},
                    {"micro", kernel.micro},
                    {"stages", kernel.stages},
                    {"split_k", kernel.split_k},
                    {"cluster_k", kernel.cluster_k},
                    {"threads", kernel.threads},
                    {"shared_bytes", kernel.shared_bytes}});
  }
  return list;
}

Json VariantsJson(const std::vector<VariantShape>& variants) {
  Json list = Json::array();
  for (const VariantShape& variant : variants) {
    list.push_back({{"m_min", variant.m_min}, {"m_max", variant.m_max}, {"kernels", variant.kernels}});
  }
  return list;
}

}  // namespace

Json JsonOf(const PlanReport& report) {
  return {{"spec_id", report.spec_id},
          {"plan_id", report.plan_id},
          {"cubin_keys", report.cubin_keys},
          {"arch", report.arch},
          {"summary", report.summary},
          {"kernels", KernelsJson(report.kernels)},
          {"variants", VariantsJson(report.variants)},
          {"reasons", report.reasons}};
}

Json JsonOf(const CompileReport& report) {
  return {{"spec_id", report.spec_id},
          {"plan_id", report.plan_id},
          {"cubin_keys", report.cubin_keys},
          {"arch", report.arch},
          {"cache_tier", report.cache_tier},
          {"uncompiled", report.uncompiled},
          {"compile_us", report.compile_us},
          {"elapsed_us", report.elapsed_us},
          {"cubin_bytes", report.cubin_bytes},
          {"registers", report.registers},
          {"spill_bytes", report.spill_bytes},
          {"kernels", KernelsJson(report.kernels)},
          {"variants", VariantsJson(report.variants)},
          {"reasons", report.reasons}};
}

Json JsonOf(const DevicesReport& report) {
  Json devices = Json::array();
  for (const DeviceReport& device : report.devices) {
    devices.push_back({{"id", device.id},
                       {"kind", device.kind},
                       {"name", device.name},
                       {"arch", device.arch},
                       {"driver", device.driver},
                       {"memory_bytes", device.memory_bytes},
                       {"slots", device.slots},
                       {"sm_count", device.sm_count}});
  }
  return {{"devices", devices}, {"nvrtc", report.nvrtc}, {"default_arch", report.default_arch}};
}

Json JsonOf(const RunReport& report, const GemmShape& shape) {
  Json outputs = Json::array();
  for (const OutputReport& output : report.outputs) {
    outputs.push_back({{"name", output.name}, {"dtype", Name(output.dtype)}, {"shape", output.shape}});
  }
  return {{"device", report.device},
          {"m", shape.m},
          {"n", shape.n},
          {"k", shape.k},
          {"launch_us", report.launch_us},
          {"elapsed_us", report.elapsed_us},
          {"gflop_per_s", GflopPerSecond(shape, report.launch_us)},
          {"compile", JsonOf(report.compile)},
          {"outputs", outputs}};
}

Json JsonOf(const VerifyReport& report) {
  const ElementCheck& worst = report.worst;
  Json json = {{"verified", report.verified},     {"rows", report.rows},
               {"columns", report.columns},       {"outputs", report.outputs},
               {"mismatches", report.mismatches}, {"max_abs_error", report.max_abs_error}};
  if (!worst.output.empty()) {
    json["worst"] = {{"output", worst.output},
                     {"row", worst.row},
                     {"column", worst.column},
                     {"got", Number(worst.got)},
                     {"expected", Number(worst.expected)},
                     {"tolerance", Number(worst.tolerance)},
                     {"error_over_tolerance", Number(worst.ratio)}};
  }
  return json;
}

Json JsonOf(const Diagnostic& diagnostic) {
  return {{"place", diagnostic.place},
          {"found", diagnostic.found},
          {"expected", diagnostic.expected},
          {"suggestion", diagnostic.suggestion},
          {"unimplemented", diagnostic.unimplemented}};
}

}  // namespace gemmd
