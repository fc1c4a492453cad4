#include "compile/nvrtc_compiler.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"
#include "compile/ptxas_report.h"

namespace gemmd {
namespace {

// Owns an nvrtcProgram: one that is not destroyed keeps hundreds of megabytes.
class UniqueProgram {
 public:
  explicit UniqueProgram(const NvrtcLibrary& library) : library_(library) {}
  ~UniqueProgram() {
    if (program_ != nullptr) library_.destroy_program(&program_);
  }
  UniqueProgram(const UniqueProgram&) = delete;
  UniqueProgram& operator=(const UniqueProgram&) = delete;
  nvrtcProgram get() const { return program_; }
  nvrtcProgram* out() { return &program_; }

 private:
  const NvrtcLibrary& library_;
  nvrtcProgram program_ = nullptr;
};

std::vector<const char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<const char*> pointers;
  for (const std::string& string : strings) pointers.push_back(string.c_str());
  return pointers;
}

absl::Status CheckArch(const NvrtcLibrary& library, const Arch& arch) {
  constexpr int kFirstSpecificCapability = 90;
  const auto& known = library.supported_capabilities;
  const bool listed = std::find(known.begin(), known.end(), arch.capability()) != known.end();
  if (listed && (!arch.specific || arch.capability() >= kFirstSpecificCapability)) return absl::OkStatus();
  return Unimplemented("NVRTC {}.{} compiles for no {}; it knows sm_{}", library.major, library.minor, Name(arch),
                       fmt::join(known, ", sm_"));
}

std::string LogOf(const NvrtcLibrary& library, nvrtcProgram program) {
  std::size_t size = 0;  // with the closing NUL
  if (library.get_program_log_size(program, &size) != NVRTC_SUCCESS || size <= 1) return "";
  std::string log(size, '\0');
  if (library.get_program_log(program, log.data()) != NVRTC_SUCCESS) return "";
  log.resize(size - 1);
  return log;
}

absl::StatusCode CodeOf(nvrtcResult result, std::string_view log) {
  switch (static_cast<int>(result)) {  // an int: a newer library may answer with values that our header lacks
    case NVRTC_ERROR_OUT_OF_MEMORY:
      return absl::StatusCode::kResourceExhausted;
    case NVRTC_ERROR_COMPILATION:  // also of a front end that ran out of memory
      return log.find("catastrophic error: out of memory") == std::string_view::npos
                 ? absl::StatusCode::kInternal
                 : absl::StatusCode::kResourceExhausted;
    case NVRTC_ERROR_BUILTIN_OPERATION_FAILURE:
      return absl::StatusCode::kUnavailable;
    case NVRTC_ERROR_CANCELLED:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status Failure(const NvrtcLibrary& library, nvrtcResult result, std::string_view log) {
  return MakeStatus(CodeOf(result, log), "NVRTC: {}{}{}", library.get_error_string(result), log.empty() ? "" : "\n",
                    log);
}

absl::StatusOr<std::string> ImageOf(const NvrtcLibrary& library, nvrtcProgram program) {
  std::size_t size = 0;
  if (const nvrtcResult result = library.get_cubin_size(program, &size); result != NVRTC_SUCCESS) {
    return Failure(library, result, "");
  }
  std::string image(size, '\0');
  if (const nvrtcResult result = library.get_cubin(program, image.data()); result != NVRTC_SUCCESS) {
    return Failure(library, result, "");
  }
  if (image.empty()) return Internal("NVRTC made no machine code: the options ask for something else");
  return image;
}

// "--minimal" (since 12.4) leaves out textures, surfaces and the device runtime, which no generated source names: a
// front end of 40 ms takes 6 ms less.
bool HasMinimal(const NvrtcLibrary& library) {
  return library.major > 12 || (library.major == 12 && library.minor >= 4);
}

// Called by NVRTC between its phases; anything but 0 cancels.
int PastDeadline(void* deadline, void*) { return absl::Now() >= *static_cast<const absl::Time*>(deadline) ? 1 : 0; }

}  // namespace

NvrtcCompiler::NvrtcCompiler(NvrtcLibrary library, std::span<const EmbeddedFile> headers)
    : library_(std::move(library)) {
  for (const EmbeddedFile& header : headers) {
    header_names_.emplace_back(header.name);
    header_texts_.emplace_back(header.text);
  }
}

absl::StatusOr<Cubin> NvrtcCompiler::Compile(const CompileRequest& request, absl::Time deadline) const {
  GEMMD_RETURN_IF_ERROR(CheckArch(library_, request.arch));
  const absl::Time start = absl::Now();
  if (start >= deadline) return DeadlineExceeded("the deadline passed before the compile began");

  UniqueProgram program(library_);
  const std::vector<const char*> texts = Pointers(header_texts_);
  const std::vector<const char*> names = Pointers(header_names_);
  if (const nvrtcResult result = library_.create_program(program.out(), request.source.c_str(), "kernel.cu",
                                                         static_cast<int>(names.size()), texts.data(), names.data());
      result != NVRTC_SUCCESS) {
    return Failure(library_, result, "");
  }
  if (library_.set_flow_callback != nullptr && deadline != absl::InfiniteFuture()) {
    const nvrtcResult result = library_.set_flow_callback(program.get(), PastDeadline, &deadline);
    if (result != NVRTC_SUCCESS) return Failure(library_, result, "");
  }

  std::vector<std::string> options = {"--gpu-architecture=" + Name(request.arch)};
  if (HasMinimal(library_)) options.emplace_back("--minimal");
  options.insert(options.end(), request.options.begin(), request.options.end());
  const std::vector<const char*> option_pointers = Pointers(options);
  const nvrtcResult result =
      library_.compile_program(program.get(), static_cast<int>(options.size()), option_pointers.data());
  Cubin cubin;
  cubin.log = LogOf(library_, program.get());
  if (result != NVRTC_SUCCESS) return Failure(library_, result, cubin.log);
  GEMMD_ASSIGN_OR_RETURN(cubin.image, ImageOf(library_, program.get()));
  cubin.usage = ParsePtxasReport(cubin.log);
  cubin.compile_us = absl::ToInt64Microseconds(absl::Now() - start);
  return cubin;
}

void KeepFreedMemory() {
  constexpr int kKeptBytes = 256 << 20;        // more than one compile takes
  constexpr int kLargestHeapBytes = 32 << 20;  // the most that glibc accepts; larger blocks are mapped each time
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  mallopt(M_MMAP_THRESHOLD, kLargestHeapBytes);
}

}  // namespace gemmd
