// NVRTC, opened at run time: gemmd links no CUDA library.
#pragma once

#include <nvrtc.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gemmd {

// The functions of one loaded libnvrtc. Copyable: the library stays loaded until the process ends, since NVRTC keeps
// thread-local state that does not survive dlclose.
struct NvrtcLibrary {
  std::string path;  // the file that was opened
  int major = 0;     // of its version
  int minor = 0;
  std::string identity;                     // "nvrtc 13.0 <build>": an ingredient of every cubin key
  std::vector<int> supported_capabilities;  // ascending: 75, 80, …

  decltype(&nvrtcGetErrorString) get_error_string = nullptr;
  decltype(&nvrtcVersion) version = nullptr;
  decltype(&nvrtcGetNumSupportedArchs) get_num_supported_archs = nullptr;
  decltype(&nvrtcGetSupportedArchs) get_supported_archs = nullptr;
  decltype(&nvrtcCreateProgram) create_program = nullptr;
  decltype(&nvrtcDestroyProgram) destroy_program = nullptr;
  decltype(&nvrtcCompileProgram) compile_program = nullptr;
  decltype(&nvrtcGetCUBINSize) get_cubin_size = nullptr;
  decltype(&nvrtcGetCUBIN) get_cubin = nullptr;
  decltype(&nvrtcGetProgramLogSize) get_program_log_size = nullptr;
  decltype(&nvrtcGetProgramLog) get_program_log = nullptr;
  decltype(&nvrtcSetFlowCallback) set_flow_callback = nullptr;  // null before NVRTC 13
};

// Opens libnvrtc.so.13, else libnvrtc.so.12, from the first of `directories` that holds one, and before its first use
// libnvrtc-builtins of the same version from the same directory: NVRTC itself would look for it by bare name only.
// Nothing but these directories is searched.
// Errors: Unavailable (says what is missing and where it looked).
absl::StatusOr<NvrtcLibrary> LoadNvrtc(const std::vector<std::string>& directories);

// Where NVRTC usually is, first choice first: beside a program in `executable_directory` (a package or a build tree
// with NVIDIA's wheels), a CUDA toolkit, the system's libraries.
std::vector<std::string> UsualNvrtcDirectories(const std::string& executable_directory);

}  // namespace gemmd
