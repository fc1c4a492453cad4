#include "cuda/status.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

TEST(CudaStatusTest, ErrorsOfAKernelAreFatalToItsContext) {
  for (const CUresult result : {CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_LAUNCH_TIMEOUT,
                                CUDA_ERROR_MISALIGNED_ADDRESS, CUDA_ERROR_ILLEGAL_INSTRUCTION, CUDA_ERROR_CONTAINED}) {
    EXPECT_TRUE(IsContextFatal(result)) << result;
  }
}

TEST(CudaStatusTest, ErrorsOfACallAreNotFatal) {
  for (const CUresult result : {CUDA_SUCCESS, CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_READY,
                                CUDA_ERROR_NOT_FOUND, CUDA_ERROR_NO_BINARY_FOR_GPU}) {
    EXPECT_FALSE(IsContextFatal(result)) << result;
  }
}

TEST(CudaStatusTest, AStatusOfAnotherOriginIsNotFatal) {
  EXPECT_FALSE(IsContextFatal(absl::OkStatus()));
  EXPECT_FALSE(IsContextFatal(absl::InternalError("something else")));
}

}  // namespace
}  // namespace gemmd
