// Tests that need the real NVRTC: where there is none they are skipped, aloud.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compile/nvrtc_library.h"

namespace gemmd {

inline std::vector<std::string> TestNvrtcDirectories() { return UsualNvrtcDirectories(GEMMD_BINARY_DIR "/bin"); }

class NvrtcTest : public testing::Test {
 protected:
  void SetUp() override {
    library_ = LoadNvrtc(TestNvrtcDirectories());
    if (!library_.ok()) GTEST_SKIP() << "skipped: " << library_.status();
  }
  absl::StatusOr<NvrtcLibrary> library_;
};

inline constexpr char kTrivialKernel[] = R"(extern "C" __global__ void trivial(float* p) { p[threadIdx.x] = 1.0f; })";

}  // namespace gemmd
