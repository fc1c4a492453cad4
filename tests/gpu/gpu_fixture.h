// Tests that need a GPU: where there is none they are skipped, aloud.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "cache/disk_store.h"
#include "compile/nvrtc_compiler.h"
#include "cuda/driver.h"
#include "kernels_src/embedded.h"
#include "runtime/cuda_device.h"

namespace gemmd {

class GpuTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<Driver> driver = Driver::Create();
    if (!driver.ok()) GTEST_SKIP() << "skipped, no GPU: " << driver.status();
    absl::StatusOr<NvrtcLibrary> nvrtc = LoadNvrtc(UsualNvrtcDirectories(GEMMD_BINARY_DIR "/bin"));
    ASSERT_TRUE(nvrtc.ok()) << nvrtc.status();
    compiler_ = std::make_unique<NvrtcCompiler>(*nvrtc, DeviceLibrary());
    absl::StatusOr<std::unique_ptr<CudaDevice>> device = CudaDevice::Create(*driver, 0, 4);
    if (absl::IsNotFound(device.status())) GTEST_SKIP() << "skipped, no GPU: " << device.status();
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *std::move(device);
    // Shapes share kernels: each is compiled once for the whole run.
    absl::StatusOr<std::unique_ptr<DiskStore>> cubins =
        DiskStore::Open(testing::TempDir() + "gemmd_gpu_test." + std::to_string(getpid()), std::int64_t{1} << 30);
    ASSERT_TRUE(cubins.ok()) << cubins.status();
    cubins_ = *std::move(cubins);
  }

  std::unique_ptr<NvrtcCompiler> compiler_;
  std::unique_ptr<CudaDevice> device_;
  std::unique_ptr<DiskStore> cubins_;
};

}  // namespace gemmd
