#include "client/gemmctl/report_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>
#include <limits>

namespace gemmd {
namespace {

constexpr std::size_t kShortIdDigits = 12;

std::string Line(std::string_view label, std::string_view text) {
  return fmt::format("{:<11}{}\n", fmt::format("{}:", label), text);
}

std::string Ids(const std::string& spec_id, const std::string& plan_id, const std::vector<std::string>& cubin_keys) {
  std::string keys;
  for (const std::string& key : cubin_keys) keys += (keys.empty() ? "" : " ") + key.substr(0, kShortIdDigits);
  return Line("spec_id", spec_id.substr(0, kShortIdDigits)) + Line("plan_id", plan_id.substr(0, kShortIdDigits)) +
         Line("cubin_key", keys);
}

// Whose tile a kernel's `micro` is; `family` is the daemon's word.
std::string_view MicroOwner(std::string_view family) {
  if (family == "simt") return "thread";
  return family == "wgmma" ? "warpgroup" : "warp";
}

std::string KernelText(const KernelShape& kernel) {
  if (kernel.family == "rows" && !kernel.micro.empty()) {
    return fmt::format("rows, {} threads for each, {} threads", kernel.micro.back(), kernel.threads);
  }
  const std::string split =
      kernel.split_k <= 1 ? "" : fmt::format(", K divided by {}, {} a cluster", kernel.split_k, kernel.cluster_k);
  return fmt::format("{} tile {}, {} {}, {} stages{}, {} threads, {:.1f} KiB shared memory", kernel.family,
                     fmt::join(kernel.tile, "x"), MicroOwner(kernel.family), fmt::join(kernel.micro, "x"),
                     kernel.stages, split, kernel.threads, static_cast<double>(kernel.shared_bytes) / 1024);
}

// The kernels of each variant, a line each. Report: a PlanReport or a CompileReport.
template <typename Report>
std::string Kernels(const Report& report) {
  std::string text;
  for (const VariantShape& variant : report.variants) {
    const std::string range = RangeText(variant);
    for (const int kernel : variant.kernels) {
      const auto index = static_cast<std::size_t>(kernel);
      if (index >= report.kernels.size()) continue;  // another build's daemon
      text += Line("plan", (range.empty() ? "" : range + ": ") + KernelText(report.kernels[index]));
    }
  }
  for (const std::string& reason : report.reasons) text += Line("reason", reason);
  return text;
}

std::string CacheTier(const CompileReport& report) {
  const double compile_ms = static_cast<double>(report.compile_us) / 1e3;
  if (report.cache_tier == "uncompiled") return fmt::format("not compiled: {}", report.uncompiled);
  if (report.cache_tier == "compiled") return fmt::format("compiled in {:.0f} ms for {}", compile_ms, report.arch);
  return fmt::format("cache hit: {} ({}, first compiled in {:.0f} ms)", report.cache_tier, report.arch, compile_ms);
}

// What the device is, said so that nobody takes the CPU for a GPU.
std::string DeviceText(const std::string& id, const DevicesReport& devices) {
  bool has_gpu = false;
  for (const DeviceReport& device : devices.devices) has_gpu = has_gpu || device.kind == "cuda";
  for (const DeviceReport& device : devices.devices) {
    if (device.id == id && device.kind == "cuda") return fmt::format("{} ({}, {})", id, device.name, device.arch);
  }
  return fmt::format("{} (CPU interpreter{})", id, has_gpu ? "" : "; no GPU here");
}

std::string Place(const ElementCheck& element) {
  return fmt::format("{}[{}, {}]", element.output, element.row, element.column);
}

}  // namespace

std::string RangeText(const VariantShape& variant) {
  const bool last = variant.m_max == std::numeric_limits<std::int64_t>::max();
  if (last) return variant.m_min == 0 ? "" : fmt::format("M from {}", variant.m_min);
  return variant.m_min == 0 ? fmt::format("M to {}", variant.m_max)
                            : fmt::format("M {} to {}", variant.m_min, variant.m_max);
}

double GflopPerSecond(const GemmShape& shape, std::int64_t launch_us) {
  if (launch_us <= 0) return 0;
  const double flop = 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
  return flop / static_cast<double>(launch_us) / 1e3;
}

std::string TextOf(const PlanReport& report) {
  return Line("spec", report.summary) + Kernels(report) + Line("arch", report.arch) +
         Ids(report.spec_id, report.plan_id, report.cubin_keys);
}

std::string TextOf(const CompileReport& report) {
  return Kernels(report) + Ids(report.spec_id, report.plan_id, report.cubin_keys) + Line("kernel", CacheTier(report)) +
         Line("cubin", fmt::format("{} bytes, {} registers a thread, {} bytes spilled", report.cubin_bytes,
                                   report.registers, report.spill_bytes));
}

std::string TextOf(const DevicesReport& report) {
  std::string text;
  for (const DeviceReport& device : report.devices) {
    std::string details =
        fmt::format("{:.1f} GiB, {} slots", static_cast<double>(device.memory_bytes) / (1 << 30), device.slots);
    if (device.kind == "cuda") {
      details += fmt::format(", {}, {} SMs, driver {}", device.arch, device.sm_count, device.driver);
    }
    text += Line(device.id, fmt::format("{} ({})", device.name, details));
  }
  return text + Line("nvrtc", report.nvrtc) + Line("arch", fmt::format("{} by default", report.default_arch));
}

std::string TextOf(const RunReport& report, const GemmShape& shape, const DevicesReport& devices) {
  std::string text = Kernels(report.compile) +
                     Ids(report.compile.spec_id, report.compile.plan_id, report.compile.cubin_keys) +
                     Line("kernel", CacheTier(report.compile)) + Line("device", DeviceText(report.device, devices));
  std::string time = fmt::format("{:.3f} ms on the device", static_cast<double>(report.launch_us) / 1e3);
  if (const double rate = GflopPerSecond(shape, report.launch_us); rate > 0) {
    fmt::format_to(std::back_inserter(time), ", {:.1f} GFLOP/s", rate);
  }
  return text + Line("time", time);
}

std::string TextOf(const VerifyReport& report) {
  const std::string extent =
      fmt::format("{} rows x {} columns x {} outputs", report.rows, report.columns, report.outputs);
  const ElementCheck& worst = report.worst;
  if (worst.output.empty()) return fmt::format("verified: {}, nothing to compare\n", extent);
  if (report.verified) {
    return fmt::format("verified: {}, worst error {:.2g} of tolerance at {}\n", extent, worst.ratio, Place(worst));
  }
  return fmt::format(
      "NOT verified: {} elements of {} are wrong; worst at {}: got {:.9g}, expected {:.9g}, tolerance {:.3g}\n",
      report.mismatches, extent, Place(worst), worst.got, worst.expected, worst.tolerance);
}

}  // namespace gemmd
