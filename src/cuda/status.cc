#include "cuda/status.h"

#include "absl/strings/cord.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr char kFatalPayload[] = "gemmd/cuda-context-fatal";

absl::StatusCode CodeOf(CUresult result) {
  switch (result) {
    case CUDA_ERROR_OUT_OF_MEMORY:
      return absl::StatusCode::kResourceExhausted;
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_INVALID_DEVICE:
      return absl::StatusCode::kNotFound;
    case CUDA_ERROR_NO_BINARY_FOR_GPU:
    case CUDA_ERROR_INVALID_IMAGE:
      return absl::StatusCode::kInvalidArgument;
    default:  // the driver's own open-ended enum
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status ToStatus(const Driver& driver, CUresult result, std::string_view call) {
  if (result == CUDA_SUCCESS) return absl::OkStatus();
  const char* name = nullptr;
  const char* text = nullptr;
  if (driver->GetErrorName(result, &name) != CUDA_SUCCESS || name == nullptr) name = "an error without a name";
  if (driver->GetErrorString(result, &text) != CUDA_SUCCESS || text == nullptr) text = "no description";
  absl::Status status =
      MakeStatus(CodeOf(result), "{} answered {} ({}): {}", call, name, static_cast<int>(result), text);
  if (IsContextFatal(result)) status.SetPayload(kFatalPayload, absl::Cord(name));
  return status;
}

bool IsContextFatal(CUresult result) {
  switch (result) {
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_NVLINK_UNCORRECTABLE:
    case CUDA_ERROR_CONTAINED:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_TENSOR_MEMORY_LEAK:
    case CUDA_ERROR_EXTERNAL_DEVICE:
    case CUDA_ERROR_UNKNOWN:
      return true;
    default:  // the driver's own open-ended enum
      return false;
  }
}

bool IsContextFatal(const absl::Status& status) { return status.GetPayload(kFatalPayload).has_value(); }

}  // namespace gemmd
