#include "compile/nvrtc_library.h"

#include <dlfcn.h>

#include <array>
#include <filesystem>

#include "base/status.h"
#include "compile/build_id.h"

namespace gemmd {
namespace {

constexpr std::array kLibraryNames = {"libnvrtc.so.13", "libnvrtc.so.12"};

absl::StatusOr<std::string> FindLibrary(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    for (const char* name : kLibraryNames) {
      const std::filesystem::path path = std::filesystem::path(directory) / name;
      std::error_code error;
      if (std::filesystem::exists(path, error)) return path.string();
    }
  }
  return Unavailable(
      "NVRTC is missing: no {} in {}", fmt::join(kLibraryNames, " or "),
      directories.empty() ? "any directory (none was given)" : fmt::format("{}", fmt::join(directories, ", ")));
}

absl::StatusOr<void*> Open(const std::string& path) {
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return Unavailable("NVRTC cannot be loaded: {}", dlerror());
  return handle;
}

template <typename Function>
absl::Status Resolve(void* handle, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(handle, name));
  if (function == nullptr) return Unavailable("NVRTC has no function {}: {}", name, dlerror());
  return absl::OkStatus();
}

absl::Status ResolveFunctions(void* handle, NvrtcLibrary& library) {
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcGetErrorString", library.get_error_string));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcVersion", library.version));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcGetNumSupportedArchs", library.get_num_supported_archs));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcGetSupportedArchs", library.get_supported_archs));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcCreateProgram", library.create_program));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcDestroyProgram", library.destroy_program));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcCompileProgram", library.compile_program));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcGetCUBINSize", library.get_cubin_size));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcGetCUBIN", library.get_cubin));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcGetProgramLogSize", library.get_program_log_size));
  GEMMD_RETURN_IF_ERROR(Resolve(handle, "nvrtcGetProgramLog", library.get_program_log));
  library.set_flow_callback =
      reinterpret_cast<decltype(library.set_flow_callback)>(dlsym(handle, "nvrtcSetFlowCallback"));
  return absl::OkStatus();
}

absl::Status QueryVersion(NvrtcLibrary& library) {
  int count = 0;
  if (library.version(&library.major, &library.minor) != NVRTC_SUCCESS ||
      library.get_num_supported_archs(&count) != NVRTC_SUCCESS || count <= 0) {
    return Unavailable("{} does not tell its version and architectures", library.path);
  }
  library.supported_capabilities.resize(static_cast<std::size_t>(count));
  if (library.get_supported_archs(library.supported_capabilities.data()) != NVRTC_SUCCESS) {
    return Unavailable("{} does not tell its architectures", library.path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NvrtcLibrary> LoadNvrtc(const std::vector<std::string>& directories) {
  NvrtcLibrary library;
  GEMMD_ASSIGN_OR_RETURN(library.path, FindLibrary(directories));
  GEMMD_ASSIGN_OR_RETURN(void* const handle, Open(library.path));
  GEMMD_RETURN_IF_ERROR(ResolveFunctions(handle, library));
  GEMMD_RETURN_IF_ERROR(QueryVersion(library));

  const std::filesystem::path builtins = std::filesystem::path(library.path).parent_path() /
                                         fmt::format("libnvrtc-builtins.so.{}.{}", library.major, library.minor);
  GEMMD_RETURN_IF_ERROR(Open(builtins.string()).status());
  const absl::StatusOr<std::string> build = BuildIdentity(library.path);
  const absl::StatusOr<std::string> builtins_build = BuildIdentity(builtins.string());
  for (const auto* part : {&build, &builtins_build}) {
    if (!part->ok()) return Unavailable("NVRTC cannot be identified: {}", MessageOf(part->status()));
  }
  library.identity = fmt::format("nvrtc {}.{} {} builtins {}", library.major, library.minor, *build, *builtins_build);
  return library;
}

std::vector<std::string> UsualNvrtcDirectories(const std::string& executable_directory) {
  const std::filesystem::path beside(executable_directory);
  return {
      (beside / ".." / "lib").lexically_normal().string(),
      (beside / ".." / ".." / "cuda" / "nvidia" / "cu13" / "lib").lexically_normal().string(),
      "/usr/local/cuda/lib64",
      "/usr/local/cuda-13.0/lib64",
      "/usr/lib/x86_64-linux-gnu",
  };
}

}  // namespace gemmd
