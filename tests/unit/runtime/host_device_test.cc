#include "runtime/host_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "base/status.h"
#include "sample_kernel.h"

namespace gemmd {
namespace {

using ::testing::Each;

absl::Time Soon() { return absl::Now() + absl::Seconds(60); }

TEST(HostDeviceTest, SaysWhatItIs) {
  const HostDevice device;
  EXPECT_EQ(device.info().id, "host");
  EXPECT_EQ(device.info().kind, DeviceKind::kHost);
  EXPECT_FALSE(device.info().name.empty());
  EXPECT_GT(device.info().memory_bytes, 0);
}

TEST(HostDeviceTest, MemoryStartsAsZeros) {
  HostDevice device;
  const auto buffer = device.Allocate(1000, Soon());
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  std::vector<std::byte> bytes(1000, std::byte{1});
  ASSERT_TRUE(device.Read(*buffer, 0, bytes, Soon()).ok());
  EXPECT_THAT(bytes, Each(std::byte{0}));
}

TEST(HostDeviceTest, RefusesMoreMemoryThanThereIs) {
  HostDevice device;
  const std::int64_t half = device.info().memory_bytes / 2 + 1;
  const auto first = device.Allocate(half, Soon());  // never touched, so never paid for
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(device.Allocate(half, Soon()).status().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(device.Free(*first, Soon()).ok());
  EXPECT_TRUE(device.Allocate(half, Soon()).ok());
}

TEST(HostDeviceTest, RefusesCopiesPastABuffer) {
  HostDevice device;
  const auto buffer = device.Allocate(100, Soon());
  std::vector<std::byte> bytes(50);
  EXPECT_TRUE(device.Write(*buffer, 50, bytes, Soon()).ok());
  EXPECT_EQ(device.Write(*buffer, 51, bytes, Soon()).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(device.Read(*buffer, -1, bytes, Soon()).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(device.Read(*buffer, INT64_MAX, bytes, Soon()).code(), absl::StatusCode::kOutOfRange);
}

TEST(HostDeviceTest, RefusesABufferThatWasFreed) {
  HostDevice device;
  const auto buffer = device.Allocate(100, Soon());
  ASSERT_TRUE(device.Free(*buffer, Soon()).ok());
  std::vector<std::byte> bytes(1);
  EXPECT_EQ(device.Read(*buffer, 0, bytes, Soon()).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(device.Free(*buffer, Soon()).code(), absl::StatusCode::kNotFound);
}

TEST(HostDeviceTest, ComputesAKernel) {
  HostDevice device;
  const auto sample = PrepareSample(device, 33);
  ASSERT_TRUE(sample.ok()) << sample.status();
  const auto result = device.Launch(sample->request, Soon());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->device_ns, 0);
  EXPECT_THAT(*ReadSample(device, *sample), Each(kSampleK + 2.0f));
}

TEST(HostDeviceTest, WritesTheFlushBufferBeforeTheLaunch) {
  HostDevice device;
  const auto sample = PrepareSample(device, 33);
  ASSERT_TRUE(sample.ok()) << sample.status();
  LaunchRequest request = sample->request;
  request.flush = *device.Allocate(100, Soon());
  std::vector<std::byte> bytes(100, std::byte{1});
  ASSERT_TRUE(device.Write(request.flush, 0, bytes, Soon()).ok());
  ASSERT_TRUE(device.Launch(request, Soon()).ok());
  ASSERT_TRUE(device.Read(request.flush, 0, bytes, Soon()).ok());
  EXPECT_THAT(bytes, Each(std::byte{0}));
  EXPECT_THAT(*ReadSample(device, *sample), Each(kSampleK + 2.0f));
  ASSERT_TRUE(device.Free(request.flush, Soon()).ok());
  EXPECT_EQ(device.Launch(request, Soon()).status().code(), absl::StatusCode::kNotFound);
}

TEST(HostDeviceTest, RefusesAKernelThatWasUnloaded) {
  HostDevice device;
  const auto sample = PrepareSample(device, 4);
  ASSERT_TRUE(device.Unload(sample->request.kernel, Soon()).ok());
  EXPECT_EQ(device.Launch(sample->request, Soon()).status().code(), absl::StatusCode::kNotFound);
}

TEST(HostDeviceTest, MakesTheSameChecksAsAGpu) {
  HostDevice device;
  auto sample = PrepareSample(device, 4);
  sample->request.outputs[0] = sample->request.inputs[0];
  EXPECT_EQ(device.Launch(sample->request, Soon()).status().code(), absl::StatusCode::kOutOfRange);
  sample->request.outputs[0] = sample->request.inputs[3];
  EXPECT_TRUE(device.Launch(sample->request, Soon()).ok());  // in place of the residual
  sample->request.outputs[0].offset_bytes = 2;
  EXPECT_FALSE(device.Launch(sample->request, Soon()).ok());
}

TEST(HostDeviceTest, RefusesAnImageWhoseManifestIsOfAnotherGraph) {
  HostDevice device;
  KernelImage image = SampleImage();
  image.manifest.inputs.pop_back();
  EXPECT_EQ(device.Load(image, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(HostDeviceTest, ABufferFreedDuringALaunchStaysUntilItsEnd) {
  HostDevice device;
  const auto sample = PrepareLongLaunch(device);
  ASSERT_TRUE(sample.ok()) << sample.status();
  std::thread launch([&] {
    const auto result = device.Launch(sample->request, absl::Now() + absl::Milliseconds(300));
    EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded) << result.status();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(device.Free(sample->output, Soon()).ok());
  launch.join();
}

}  // namespace
}  // namespace gemmd
