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
#include "tests/testing/sabotage_orders.h"

namespace gemmd {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  EXPECT_EQ(device_->Health().code(), absl::StatusCode::kUnavailable);
}

// A worker that does what it is ordered to.
constexpr absl::Duration kLimit = absl::Milliseconds(500);
class SabotagedWorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WorkerOptions options = HostWorker();
    options.executable = GEMMD_BINARY_DIR "/sabotaged/gemmd_device_worker";
    options.launch_timeout = kLimit;
    auto device = WorkerDevice::Spawn(options);
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *std::move(device);
    auto sample = PrepareSample(*device_, 3);
    ASSERT_TRUE(sample.ok()) << sample.status();
    sample_ = *std::move(sample);
  }
  // Looks after the device until it is gone, as its pool does.
  void Watch() {
    while (device_->healthy()) std::this_thread::sleep_until(device_->KillIfHung());
  }

  SabotageOrders orders_;
  std::unique_ptr<WorkerDevice> device_;
  SampleLaunch sample_;
};

TEST_F(SabotagedWorkerTest, ComputesWithoutOrders) {
  ASSERT_TRUE(device_->Launch(sample_.request, Soon()).ok());
  EXPECT_THAT(*ReadSample(*device_, sample_), Each(kSampleK + 2.0f));
}

TEST_F(SabotagedWorkerTest, AnOrderForAnotherSpecIsLeftAlone) {
  orders_.Give("crash", "another");
  EXPECT_TRUE(device_->Launch(sample_.request, Soon()).ok());
}

TEST_F(SabotagedWorkerTest, ALaunchThatHangsIsInternalAndItsWorkerIsKilled) {
  orders_.Give("hang", "spec");
  std::thread watch([this] { Watch(); });
  const absl::Time begin = absl::Now();
  const absl::Status status = device_->Launch(sample_.request, Soon()).status();
  watch.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("did not end within 500ms on host"));
  EXPECT_GE(absl::Now() - begin, kLimit);
  const DeviceFault fault = device_->Fault();
  EXPECT_EQ(fault.kind, DeviceFault::Kind::kHung);
  EXPECT_THAT(fault.reason, HasSubstr("a launch of plan plan did not end within 500ms"));
  EXPECT_THAT(fault.suspects, ElementsAre("plan"));
  EXPECT_EQ(device_->Free(sample_.output, Soon()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(SabotagedWorkerTest, ALaunchThatHangsIsSeenAlsoWhenItsCallerHasGone) {
  orders_.Give("hang");
  EXPECT_EQ(device_->Launch(sample_.request, absl::Now() + absl::Milliseconds(20)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(device_->healthy());
  Watch();
  EXPECT_EQ(device_->Fault().kind, DeviceFault::Kind::kHung);
}

TEST_F(SabotagedWorkerTest, AWorkerThatAnswersNothingIsKilled) {
  kill(device_->pid(), SIGSTOP);
  std::thread watch([this] { Watch(); });
  const absl::Status status = device_->Free(sample_.output, Soon());
  watch.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("it answered nothing for 500ms"));
  EXPECT_THAT(device_->Fault().suspects, IsEmpty());
}

TEST_F(SabotagedWorkerTest, LaunchesThatEndInTimeAreNoHang) {
  for (const absl::Time begin = absl::Now(); absl::Now() - begin < 2 * kLimit;) {
    ASSERT_TRUE(device_->Launch(sample_.request, Soon()).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    device_->KillIfHung();
  }
  EXPECT_TRUE(device_->healthy());
}

TEST_F(SabotagedWorkerTest, ACrashNamesTheKernelThatRan) {
  orders_.Give("crash");
  const absl::Status status = device_->Launch(sample_.request, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(device_->Fault().kind, DeviceFault::Kind::kDied);
  EXPECT_THAT(device_->Fault().reason, HasSubstr("was killed by SIGABRT"));
  EXPECT_THAT(device_->Fault().suspects, ElementsAre("plan"));
}

TEST_F(SabotagedWorkerTest, AKillFromOutsideIsNoKernelsFault) {
  orders_.Give("hang");
  std::thread killer([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    kill(device_->pid(), SIGKILL);
  });
  EXPECT_EQ(device_->Launch(sample_.request, Soon()).status().code(), absl::StatusCode::kUnavailable);
  killer.join();
  EXPECT_THAT(device_->Fault().suspects, IsEmpty());
}

TEST_F(SabotagedWorkerTest, AFaultIsInternalAndTheWorkerIsKilled) {
  orders_.Give("fault");
  const absl::Status status = device_->Launch(sample_.request, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_FALSE(device_->healthy());
  EXPECT_EQ(device_->Fault().kind, DeviceFault::Kind::kLost);
  EXPECT_THAT(device_->Fault().reason, HasSubstr("host lost its device: an ordered fault of host"));
  EXPECT_THAT(device_->Fault().suspects, ElementsAre("plan"));
  EXPECT_EQ(device_->Launch(sample_.request, Soon()).status().code(), absl::StatusCode::kUnavailable);
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
