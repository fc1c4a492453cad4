// The worker process end to end, on the host device.
#include "runtime/worker_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/status.h"
#include "sample_kernel.h"

namespace gemmd {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

absl::Time Soon() { return absl::Now() + absl::Seconds(60); }

WorkerOptions HostWorker() {
  WorkerOptions options;
  options.executable = GEMMD_BINARY_DIR "/bin/gemmd_device_worker";
  options.device = "host";
  options.staging_bytes = 1 << 18;
  options.chunk_bytes = 1 << 16;
  return options;
}

class WorkerDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto device = WorkerDevice::Spawn(HostWorker());
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *std::move(device);
  }
  std::unique_ptr<WorkerDevice> device_;
};

TEST_F(WorkerDeviceTest, TellsWhatItsDeviceIs) {
  EXPECT_EQ(device_->info().id, "host");
  EXPECT_EQ(device_->info().kind, DeviceKind::kHost);
  EXPECT_GT(device_->info().memory_bytes, 0);
  EXPECT_TRUE(device_->healthy());
}

TEST_F(WorkerDeviceTest, ComputesAKernel) {
  const auto sample = PrepareSample(*device_, 33);
  ASSERT_TRUE(sample.ok()) << sample.status();
  const auto result = device_->Launch(sample->request, Soon());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->device_ns, 0);
  EXPECT_THAT(*ReadSample(*device_, *sample), Each(kSampleK + 2.0f));
}

TEST_F(WorkerDeviceTest, CopiesMoreThanItsStagingMemory) {
  std::vector<std::byte> sent((1 << 22) + 4097);
  std::mt19937 random(1);
  std::ranges::generate(sent, [&] { return static_cast<std::byte>(random()); });
  const auto buffer = device_->Allocate(static_cast<std::int64_t>(sent.size()) + 7, Soon());
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  ASSERT_TRUE(device_->Write(*buffer, 7, sent, Soon()).ok());
  std::vector<std::byte> received(sent.size());
  ASSERT_TRUE(device_->Read(*buffer, 7, received, Soon()).ok());
  EXPECT_TRUE(sent == received);
}

TEST_F(WorkerDeviceTest, ManyCopiesAtOnceDoNotMix) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::vector<std::byte> sent(300'000 + static_cast<std::size_t>(i), static_cast<std::byte>(i + 1));
      const auto buffer = device_->Allocate(static_cast<std::int64_t>(sent.size()), Soon());
      ASSERT_TRUE(buffer.ok()) << buffer.status();
      ASSERT_TRUE(device_->Write(*buffer, 0, sent, Soon()).ok());
      std::vector<std::byte> received(sent.size());
      ASSERT_TRUE(device_->Read(*buffer, 0, received, Soon()).ok());
      EXPECT_TRUE(sent == received);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(WorkerDeviceTest, PassesTheDevicesErrorsOn) {
  std::vector<std::byte> bytes(8);
  EXPECT_EQ(device_->Read(BufferId{99}, 0, bytes, Soon()).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(device_->Free(BufferId{99}, Soon()).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(device_->Unload(LoadedKernelId{99}, Soon()).code(), absl::StatusCode::kNotFound);
  const auto buffer = device_->Allocate(8, Soon());
  EXPECT_EQ(device_->Write(*buffer, 1, bytes, Soon()).code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(device_->healthy());
}

TEST_F(WorkerDeviceTest, ALaunchEndsAtItsDeadlineAndTheDeviceGoesOn) {
  const auto slow = PrepareLongLaunch(*device_);
  ASSERT_TRUE(slow.ok()) << slow.status();
  EXPECT_EQ(device_->Launch(slow->request, absl::Now() + absl::Milliseconds(100)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  const auto sample = PrepareSample(*device_, 5);
  ASSERT_TRUE(sample.ok()) << sample.status();
  EXPECT_TRUE(device_->Launch(sample->request, Soon()).ok());
}

TEST_F(WorkerDeviceTest, ACallInFlightWhenTheWorkerDiesIsUnavailable) {
  const auto slow = PrepareLongLaunch(*device_);
  ASSERT_TRUE(slow.ok()) << slow.status();
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    kill(device_->pid(), SIGABRT);  // which no sanitizer handles
  });
  const auto result = device_->Launch(slow->request, Soon());
  killer.join();
  ASSERT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
  EXPECT_THAT(MessageOf(result.status()), HasSubstr("the worker of host was killed by SIGABRT"));
  EXPECT_FALSE(device_->healthy());
}

TEST_F(WorkerDeviceTest, EveryCallAfterTheEndSaysHowItEnded) {
  kill(device_->pid(), SIGKILL);
  for (int i = 0; i < 2; ++i) {
    const auto buffer = device_->Allocate(8, Soon());
    ASSERT_EQ(buffer.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(MessageOf(buffer.status()), HasSubstr("SIGKILL"));
  }
}

TEST(WorkerDeviceSpawnTest, SaysThatTheExecutableIsMissing) {
  WorkerOptions options = HostWorker();
  options.executable = "/nonexistent/gemmd_device_worker";
  EXPECT_EQ(WorkerDevice::Spawn(options).status().code(), absl::StatusCode::kNotFound);
}

TEST(WorkerDeviceSpawnTest, PassesOnWhyThereIsNoSuchDevice) {
  WorkerOptions options = HostWorker();
  options.device = "abacus:0";
  const auto device = WorkerDevice::Spawn(options);
  EXPECT_EQ(device.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(device.status()), HasSubstr("abacus:0"));
}

TEST(WorkerDeviceSpawnTest, AProcessThatIsNoWorkerDoesNotStart) {
  WorkerOptions options = HostWorker();
  options.executable = "/bin/false";
  const auto device = WorkerDevice::Spawn(options);
  EXPECT_EQ(device.status().code(), absl::StatusCode::kUnavailable) << device.status();
  EXPECT_THAT(MessageOf(device.status()), HasSubstr("exited 1"));
}

}  // namespace
}  // namespace gemmd
