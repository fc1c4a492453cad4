# The packages gemmd stands on. deploy/install_deps.sh installs them all.
include_guard()
include(GoogleTest)

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(CLI11 REQUIRED)
find_path(GEMMD_TOML_INCLUDE_DIR NAMES toml++/toml.h REQUIRED)  # used as headers alone, which its package files are not
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC REQUIRED)
find_program(GEMMD_PROTOC protoc REQUIRED)
find_program(GEMMD_GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# cuda.h and nvrtc.h: from a toolkit, or from NVIDIA's wheels (deploy/install_deps.sh puts them under GEMMD_CUDA_PREFIX).
# Headers only: both libraries are opened at run time.
set(GEMMD_CUDA_PREFIX "" CACHE PATH "Where NVIDIA's wheels were unpacked, when there is no CUDA toolkit")
find_path(GEMMD_CUDA_INCLUDE_DIR NAMES nvrtc.h
  HINTS "${GEMMD_CUDA_PREFIX}/nvidia/cu13/include" "${PROJECT_SOURCE_DIR}/build/cuda/nvidia/cu13/include"
  PATHS /usr/local/cuda/include /usr/local/cuda-13.0/include NO_CACHE REQUIRED)
add_library(gemmd_cuda_headers INTERFACE)
target_include_directories(gemmd_cuda_headers SYSTEM INTERFACE "${GEMMD_CUDA_INCLUDE_DIR}")
