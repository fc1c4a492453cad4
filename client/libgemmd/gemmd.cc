// The C ABI: checks what C can't say, calls, and turns statuses into codes and texts. No exception passes it.
#include "client/libgemmd/gemmd.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "base/logging.h"
#include "base/status.h"
#include "client/libgemmd/in_process_compiler.h"
#include "client/libgemmd/kernel.h"

struct gemmd_compiler {
  std::unique_ptr<gemmd::InProcessCompiler> compiler;
};

struct gemmd_kernel {
  std::unique_ptr<gemmd::Kernel> kernel;
};

namespace {

using gemmd::InvalidArgument;

struct CodeRow {
  gemmd_code code;
  const char* name;
};

constexpr CodeRow kCodes[] = {
    {GEMMD_OK, "OK"},
    {GEMMD_INVALID_ARGUMENT, "INVALID_ARGUMENT"},
    {GEMMD_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"},
    {GEMMD_NOT_FOUND, "NOT_FOUND"},
    {GEMMD_PERMISSION_DENIED, "PERMISSION_DENIED"},
    {GEMMD_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"},
    {GEMMD_FAILED_PRECONDITION, "FAILED_PRECONDITION"},
    {GEMMD_OUT_OF_RANGE, "OUT_OF_RANGE"},
    {GEMMD_UNIMPLEMENTED, "UNIMPLEMENTED"},
    {GEMMD_INTERNAL, "INTERNAL"},
    {GEMMD_UNAVAILABLE, "UNAVAILABLE"},
    {GEMMD_DATA_LOSS, "DATA_LOSS"},
};

// abseil's codes are gRPC's, as ours; one that we have no name for is a bug of ours.
gemmd_code CodeOf(const absl::Status& status) {
  for (const CodeRow& row : kCodes) {
    if (static_cast<int>(row.code) == static_cast<int>(status.code())) return row.code;
  }
  return GEMMD_INTERNAL;
}

// Null where there is no memory for it.
char* Copy(std::string_view text) {
  auto* const copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) return nullptr;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

// Runs `call`, which returns a status, and reports it.
template <typename Call>
gemmd_code Answer(char** error, Call call) noexcept {
  if (error != nullptr) *error = nullptr;
  const auto failed = [&](gemmd_code code, std::string_view text) {
    if (error != nullptr) *error = Copy(text);
    return code;
  };
  try {
    const absl::Status status = call();
    return status.ok() ? GEMMD_OK : failed(CodeOf(status), gemmd::MessageOf(status));
  } catch (const std::bad_alloc&) {
    return failed(GEMMD_RESOURCE_EXHAUSTED, "out of memory");
  } catch (const std::exception& exception) {
    return failed(GEMMD_INTERNAL, exception.what());
  } catch (...) {
    return failed(GEMMD_INTERNAL, "an exception of an unknown type");
  }
}

absl::Status CheckNotNull(const void* pointer, std::string_view name) {
  return pointer != nullptr ? absl::OkStatus() : InvalidArgument("{}: null", name);
}

// The caller's options, of its version of the struct; those that it does not have are 0.
template <typename Options>
absl::StatusOr<Options> Read(const Options* options) {
  Options read{};
  if (options == nullptr) return read;
  constexpr std::size_t kFirstVersion = sizeof(Options);
  if (options->size < kFirstVersion) {
    return InvalidArgument("options.size: {}, expected sizeof the struct, {}", options->size, kFirstVersion);
  }
  std::memcpy(&read, options, sizeof read);
  return read;
}

// What the library has to say beside its answers (a damaged cache entry, say) goes to standard error.
void LogToStandardError() {
  static std::once_flag once;
  std::call_once(once, [] {
    spdlog::set_default_logger(gemmd::MakeLogger("libgemmd", gemmd::LogLevel::kWarning, gemmd::LogFormat::kText));
  });
}

const char* NameAt(const std::vector<gemmd::ManifestTensor>& tensors, std::size_t index) {
  return index < tensors.size() ? tensors[index].name.c_str() : nullptr;
}

}  // namespace

const char* gemmd_version(void) { return GEMMD_VERSION; }

const char* gemmd_code_name(gemmd_code code) {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return row.name;
  }
  return "UNKNOWN";
}

void gemmd_free(char* text) { std::free(text); }

gemmd_code gemmd_compiler_create(const gemmd_compiler_options* options, gemmd_compiler** compiler, char** error) {
  return Answer(error, [&]() -> absl::Status {
    GEMMD_RETURN_IF_ERROR(CheckNotNull(compiler, "compiler"));
    *compiler = nullptr;
    LogToStandardError();
    GEMMD_ASSIGN_OR_RETURN(const gemmd_compiler_options read, Read(options));
    GEMMD_ASSIGN_OR_RETURN(auto created, gemmd::InProcessCompiler::Create(read));
    *compiler = new gemmd_compiler{std::move(created)};
    return absl::OkStatus();
  });
}

void gemmd_compiler_destroy(gemmd_compiler* compiler) { delete compiler; }

gemmd_code gemmd_compile(gemmd_compiler* compiler, const char* spec_json, const gemmd_compile_options* options,
                         gemmd_kernel** kernel, char** error) {
  return Answer(error, [&]() -> absl::Status {
    GEMMD_RETURN_IF_ERROR(CheckNotNull(kernel, "kernel"));
    *kernel = nullptr;
    GEMMD_RETURN_IF_ERROR(CheckNotNull(compiler, "compiler"));
    GEMMD_RETURN_IF_ERROR(CheckNotNull(spec_json, "spec_json"));
    GEMMD_ASSIGN_OR_RETURN(const gemmd_compile_options read, Read(options));
    GEMMD_ASSIGN_OR_RETURN(auto compiled, compiler->compiler->Compile(spec_json, read));
    *kernel = new gemmd_kernel{std::move(compiled)};
    return absl::OkStatus();
  });
}

gemmd_code gemmd_load(const char* manifest_json, const gemmd_cubin* cubins, size_t cubin_count, gemmd_kernel** kernel,
                      char** error) {
  return Answer(error, [&]() -> absl::Status {
    GEMMD_RETURN_IF_ERROR(CheckNotNull(kernel, "kernel"));
    *kernel = nullptr;
    GEMMD_RETURN_IF_ERROR(CheckNotNull(manifest_json, "manifest_json"));
    if (cubin_count > 0) GEMMD_RETURN_IF_ERROR(CheckNotNull(cubins, "cubins"));
    LogToStandardError();
    gemmd::Kernel::Cubins copies;
    for (size_t i = 0; i < cubin_count; ++i) {
      GEMMD_RETURN_IF_ERROR(CheckNotNull(cubins[i].bytes, fmt::format("cubins[{}]", i)));
      copies.push_back(std::make_shared<const std::string>(static_cast<const char*>(cubins[i].bytes), cubins[i].size));
    }
    GEMMD_ASSIGN_OR_RETURN(auto loaded, gemmd::LoadKernel(manifest_json, std::move(copies)));
    *kernel = new gemmd_kernel{std::move(loaded)};
    return absl::OkStatus();
  });
}

void gemmd_kernel_destroy(gemmd_kernel* kernel) { delete kernel; }

const char* gemmd_kernel_manifest(const gemmd_kernel* kernel) { return kernel->kernel->manifest_json().c_str(); }
const char* gemmd_kernel_report(const gemmd_kernel* kernel) {
  const std::string& report = kernel->kernel->report_json();
  return report.empty() ? nullptr : report.c_str();
}

size_t gemmd_kernel_cubin_count(const gemmd_kernel* kernel) { return kernel->kernel->cubins().size(); }
gemmd_cubin gemmd_kernel_cubin(const gemmd_kernel* kernel, size_t index) {
  const gemmd::Kernel::Cubins& cubins = kernel->kernel->cubins();
  return index < cubins.size() ? gemmd_cubin{cubins[index]->data(), cubins[index]->size()} : gemmd_cubin{};
}

size_t gemmd_kernel_input_count(const gemmd_kernel* kernel) { return kernel->kernel->manifest().inputs.size(); }
size_t gemmd_kernel_output_count(const gemmd_kernel* kernel) { return kernel->kernel->manifest().outputs.size(); }
const char* gemmd_kernel_input_name(const gemmd_kernel* kernel, size_t index) {
  return NameAt(kernel->kernel->manifest().inputs, index);
}
const char* gemmd_kernel_output_name(const gemmd_kernel* kernel, size_t index) {
  return NameAt(kernel->kernel->manifest().outputs, index);
}

gemmd_code gemmd_kernel_workspace_bytes(const gemmd_kernel* kernel, gemmd_shape shape, int64_t* bytes, char** error) {
  return Answer(error, [&]() -> absl::Status {
    GEMMD_RETURN_IF_ERROR(CheckNotNull(kernel, "kernel"));
    GEMMD_RETURN_IF_ERROR(CheckNotNull(bytes, "bytes"));
    GEMMD_ASSIGN_OR_RETURN(*bytes, kernel->kernel->WorkspaceBytes(shape));
    return absl::OkStatus();
  });
}

gemmd_code gemmd_launch(const gemmd_kernel* kernel, const gemmd_launch_arguments* arguments, void* stream,
                        char** error) {
  return Answer(error, [&]() -> absl::Status {
    GEMMD_RETURN_IF_ERROR(CheckNotNull(kernel, "kernel"));
    GEMMD_RETURN_IF_ERROR(CheckNotNull(arguments, "arguments"));
    return kernel->kernel->Launch(*arguments, static_cast<CUstream>(stream));
  });
}
