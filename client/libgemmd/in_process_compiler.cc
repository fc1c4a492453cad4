#include "client/libgemmd/in_process_compiler.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/status.h"
#include "client/libgemmd/kernel_report.h"
#include "cuda/device_query.h"
#include "engine/launch_binding.h"
#include "plan/plan.h"
#include "spec/diagnostic.h"
#include "spec/spec_json.h"

namespace gemmd {
namespace {

constexpr std::int64_t kDiskBytes = std::int64_t{4} << 30;
constexpr std::int64_t kMemoryBytes = std::int64_t{256} << 20;

// The directory of the file that this code is in.
std::string OwnDirectory() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&gemmd_version), &info) == 0 || info.dli_fname == nullptr) return ".";
  std::error_code error;
  const std::filesystem::path file = std::filesystem::canonical(info.dli_fname, error);
  return error ? "." : file.parent_path().string();
}

std::vector<std::string> NvrtcDirectories(const std::string& given) {
  return given.empty() ? UsualNvrtcDirectories(OwnDirectory()) : std::vector<std::string>{given};
}

absl::StatusOr<DeviceLimits> LimitsOfNamed(std::string_view name) {
  const std::optional<Arch> arch = ArchFromName(name);
  const std::optional<DeviceLimits> limits = arch ? LimitsOf(*arch) : std::nullopt;
  if (!limits) return InvalidArgument("options.arch: {} is not an arch that gemmd knows", Quote(name));
  return *limits;
}

// What one promise is about: an entry of `assumptions`, and the dtype of its tensor.
struct Promised {
  int* alignment_bytes = nullptr;
  DType dtype = DType::kF32;
};

absl::StatusOr<Promised> FindTensor(const CanonicalSpec& canonical, const std::string& name, Assumptions& assumptions) {
  const auto& [inputs, outputs] = canonical.bindings;
  if (const auto found = std::find(inputs.begin(), inputs.end(), name); found != inputs.end()) {
    const auto index = static_cast<std::size_t>(found - inputs.begin());
    return Promised{&assumptions.inputs[index], canonical.graph.inputs[index].dtype};
  }
  if (const auto found = std::find(outputs.begin(), outputs.end(), name); found != outputs.end()) {
    const auto index = static_cast<std::size_t>(found - outputs.begin());
    return Promised{&assumptions.outputs[index], canonical.graph.outputs[index].dtype};
  }
  std::vector<std::string> names = inputs;
  names.insert(names.end(), outputs.begin(), outputs.end());
  const std::string nearest = Nearest(name, names);
  return InvalidArgument("options.alignments: {} is not a tensor of the spec{}", Quote(name),
                         nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest));
}

absl::StatusOr<Assumptions> AssumptionsFrom(const gemmd_compile_options& options, const CanonicalSpec& canonical) {
  Assumptions assumptions = Completed(canonical.graph, {});
  if (options.alignment_count > 0 && options.alignments == nullptr) {
    return InvalidArgument("options.alignments: null, with a count of {}", options.alignment_count);
  }
  for (std::size_t i = 0; i < options.alignment_count; ++i) {
    const gemmd_alignment& promise = options.alignments[i];
    if (promise.tensor == nullptr) return InvalidArgument("options.alignments[{}].tensor: null", i);
    GEMMD_ASSIGN_OR_RETURN(const Promised promised, FindTensor(canonical, promise.tensor, assumptions));
    const std::int64_t element_bytes = SizeBytes(promised.dtype);
    if (promise.bytes < element_bytes || (promise.bytes & (promise.bytes - 1)) != 0) {
      return InvalidArgument("options.alignments: {} has {} bytes, expected a power of two of at least {}",
                             Quote(promise.tensor), promise.bytes, element_bytes);
    }
    *promised.alignment_bytes = static_cast<int>(std::min<std::int64_t>(promise.bytes, kAccessBytes));
  }
  return assumptions;
}

// Where the calling thread's context is.
struct CallersDevice {
  Driver driver;
  BorrowedContext context;
  DeviceLimits limits;

  // Errors: Unavailable (no driver), FailedPrecondition (no context).
  static absl::StatusOr<CallersDevice> Find() {
    GEMMD_ASSIGN_OR_RETURN(const Driver driver, Driver::Create());
    GEMMD_ASSIGN_OR_RETURN(const BorrowedContext context, BorrowedContext::Current(driver));
    GEMMD_ASSIGN_OR_RETURN(const DeviceLimits limits, QueryLimits(driver, context.device()));
    return CallersDevice{driver, context, limits};
  }
};

absl::Time DeadlineOf(const gemmd_compile_options& options) {
  return options.timeout_ms == 0 ? absl::InfiniteFuture() : absl::Now() + absl::Milliseconds(options.timeout_ms);
}

std::int64_t OrDefault(std::int64_t given, std::int64_t otherwise) { return given == 0 ? otherwise : given; }

}  // namespace

InProcessCompiler::InProcessCompiler(const std::string& nvrtc_directory, std::unique_ptr<DiskStore> disk,
                                     std::int64_t memory_bytes)
    : compiler_(NvrtcDirectories(nvrtc_directory)),
      disk_(std::move(disk)),
      engine_(&compiler_, disk_.get(), memory_bytes) {}

absl::StatusOr<std::unique_ptr<InProcessCompiler>> InProcessCompiler::Create(const gemmd_compiler_options& options) {
  if (options.cache_bytes < 0 || options.memory_bytes < 0) {
    return InvalidArgument("options: cache_bytes is {} and memory_bytes {}, expected 0 or more", options.cache_bytes,
                           options.memory_bytes);
  }
  std::unique_ptr<DiskStore> disk;
  if (options.cache_dir != nullptr) {
    GEMMD_ASSIGN_OR_RETURN(disk, DiskStore::Open(options.cache_dir, OrDefault(options.cache_bytes, kDiskBytes)));
  }
  return std::unique_ptr<InProcessCompiler>(new InProcessCompiler(options.nvrtc_dir == nullptr ? "" : options.nvrtc_dir,
                                                                  std::move(disk),
                                                                  OrDefault(options.memory_bytes, kMemoryBytes)));
}

absl::StatusOr<std::unique_ptr<Kernel>> InProcessCompiler::Compile(std::string_view spec_json,
                                                                   const gemmd_compile_options& options) {
  if (options.timeout_ms < 0) return InvalidArgument("options.timeout_ms: {}, expected 0 or more", options.timeout_ms);
  const absl::Time deadline = DeadlineOf(options);
  GEMMD_ASSIGN_OR_RETURN(const KernelSpec spec, ParseValidSpec(spec_json));
  GEMMD_ASSIGN_OR_RETURN(const Assumptions assumptions, AssumptionsFrom(options, Canonicalize(spec)));
  if (options.arch != nullptr) {
    GEMMD_ASSIGN_OR_RETURN(const DeviceLimits limits, LimitsOfNamed(options.arch));
    return CompileFor(spec, limits, assumptions, deadline);
  }
  GEMMD_ASSIGN_OR_RETURN(const CallersDevice device, CallersDevice::Find());
  GEMMD_ASSIGN_OR_RETURN(std::unique_ptr<Kernel> kernel, CompileFor(spec, device.limits, assumptions, deadline));
  GEMMD_RETURN_IF_ERROR(kernel->Load(device.driver, device.context, device.limits));
  return kernel;
}

absl::StatusOr<std::unique_ptr<Kernel>> InProcessCompiler::CompileFor(const KernelSpec& spec,
                                                                      const DeviceLimits& limits,
                                                                      const Assumptions& assumptions,
                                                                      absl::Time deadline) {
  GEMMD_ASSIGN_OR_RETURN(const CompileOutcome compiled,
                         engine_.Compile(spec, limits, assumptions, std::nullopt, deadline));
  Kernel::Cubins cubins;
  for (const CompiledModule& module : compiled.compiled->modules) cubins.push_back(module.cubin);
  return std::make_unique<Kernel>(WithNames(compiled.compiled->manifest, compiled.canonical.bindings),
                                  std::move(cubins), KernelReport(compiled, limits));
}

absl::StatusOr<std::unique_ptr<Kernel>> LoadKernel(std::string_view manifest_json, Kernel::Cubins cubins) {
  GEMMD_ASSIGN_OR_RETURN(Manifest manifest, ManifestFromJson(manifest_json));
  if (cubins.size() != manifest.cubin_keys.size()) {
    return InvalidArgument("cubins: {}, expected the {} of the manifest", cubins.size(), manifest.cubin_keys.size());
  }
  GEMMD_ASSIGN_OR_RETURN(const CallersDevice device, CallersDevice::Find());
  auto kernel = std::make_unique<Kernel>(std::move(manifest), std::move(cubins), "");
  GEMMD_RETURN_IF_ERROR(kernel->Load(device.driver, device.context, device.limits));
  return kernel;
}

}  // namespace gemmd
