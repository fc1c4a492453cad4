#include "runtime/device_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <set>
#include <thread>

#include "base/status.h"
#include "runtime/device_discovery.h"
#include "sample_kernel.h"
#include "tests/testing/sabotage_orders.h"

namespace gemmd {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

absl::Time Soon() { return absl::Now() + absl::Seconds(60); }

DevicePool::Options HostOnly() {
  DevicePool::Options options;
  options.worker.executable = GEMMD_BINARY_DIR "/bin/gemmd_device_worker";
  options.worker.staging_bytes = 1 << 20;
  options.worker.chunk_bytes = 1 << 16;
  options.cuda_ordinals = std::vector<int>{};
  return options;
}

class DevicePoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pool = DevicePool::Create(HostOnly());
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
  }

  // Kills the host device's worker and waits until its device knows.
  std::shared_ptr<Device> KillHost() {
    std::shared_ptr<Device> device = *pool_->Find("host");
    kill(static_cast<WorkerDevice&>(*device).pid(), SIGKILL);
    EXPECT_EQ(device->Allocate(8, Soon()).status().code(), absl::StatusCode::kUnavailable);
    return device;
  }

  std::unique_ptr<DevicePool> pool_;
};

TEST_F(DevicePoolTest, HoldsItsDevicesById) {
  const auto device = pool_->Find("host");
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ((*device)->info().id, "host");
  EXPECT_EQ(*pool_->Default(), *device);
  ASSERT_EQ(pool_->List().size(), 1u);
  EXPECT_EQ(pool_->List()[0].id, "host");
}

TEST_F(DevicePoolTest, NamesTheDevicesThereAre) {
  const auto device = pool_->Find("cuda:7");
  EXPECT_EQ(device.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(device.status()), HasSubstr("there are: host"));
}

TEST_F(DevicePoolTest, ReplacesAWorkerThatDied) {
  const std::shared_ptr<Device> dead = KillHost();
  const auto fresh = pool_->Find("host");
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  ASSERT_NE(*fresh, dead);
  const auto sample = PrepareSample(**fresh, 3);
  ASSERT_TRUE(sample.ok()) << sample.status();
  ASSERT_TRUE((*fresh)->Launch(sample->request, Soon()).ok());
  EXPECT_THAT(*ReadSample(**fresh, *sample), Each(kSampleK + 2.0f));
}

TEST_F(DevicePoolTest, WhatTheDeadWorkerHeldIsNotFound) {
  const auto sample = PrepareSample(**pool_->Find("host"), 3);
  ASSERT_TRUE(sample.ok()) << sample.status();
  KillHost();
  const auto fresh = pool_->Find("host");
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_EQ((*fresh)->Launch(sample->request, Soon()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ((*fresh)->Free(sample->output, Soon()).code(), absl::StatusCode::kNotFound);
}

TEST_F(DevicePoolTest, StartsOneWorkerHoweverManyAsk) {
  KillHost();
  std::vector<std::shared_ptr<Device>> found(6);
  std::vector<std::thread> threads;
  for (auto& device : found) {
    threads.emplace_back([&] { device = *pool_->Find("host"); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::shared_ptr<Device>>(found.begin(), found.end()).size(), 1u);
}

TEST(DevicePoolCreateTest, SaysThatTheWorkerExecutableIsMissing) {
  DevicePool::Options options = HostOnly();
  options.worker.executable = "/nonexistent/gemmd_device_worker";
  options.cuda_ordinals = std::nullopt;
  EXPECT_EQ(DevicePool::Create(options).status().code(), absl::StatusCode::kNotFound);
}

TEST(DevicePoolCreateTest, RefusesAPoolOfNothing) {
  DevicePool::Options options = HostOnly();
  options.include_host = false;
  EXPECT_EQ(DevicePool::Create(options).status().code(), absl::StatusCode::kNotFound);
}

TEST(DevicePoolCreateTest, AGpuThatDoesNotStartLeavesTheOthersAlone) {
  DevicePool::Options options = HostOnly();
  options.cuda_ordinals = std::vector<int>{1000};
  const auto pool = DevicePool::Create(options);
  ASSERT_TRUE(pool.ok()) << pool.status();
  EXPECT_TRUE((*pool)->Find("host").ok());
  const auto gpu = (*pool)->Find("cuda:1000");
  EXPECT_EQ(gpu.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(gpu.status()), HasSubstr("cuda:1000 does not start"));
  EXPECT_EQ((*pool)->List().size(), 1u);
}

TEST(DevicePoolCreateTest, RefusesAPoolOfWhichNothingStarts) {
  DevicePool::Options options = HostOnly();
  options.include_host = false;
  options.cuda_ordinals = std::vector<int>{1000};
  const auto pool = DevicePool::Create(options);
  EXPECT_EQ(pool.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(pool.status()), HasSubstr("cuda:1000 does not start"));
}

TEST(DiscoverGpusTest, CountsThemOrSaysWhyThereAreNone) {
  const auto gpus = DiscoverGpus(GEMMD_BINARY_DIR "/bin/gemmd_device_worker", Soon());
  ASSERT_TRUE(gpus.ok()) << gpus.status();
  EXPECT_NE(gpus->count == 0, gpus->reason.empty());
}

TEST_F(DevicePoolTest, TellsOfAFaultBeforeAndAfterTheNewWorker) {
  ASSERT_EQ(pool_->States().size(), 1u);
  EXPECT_TRUE(pool_->States()[0].serving);
  EXPECT_EQ(pool_->States()[0].faults, 0);
  KillHost();
  const DeviceState dead = pool_->States()[0];
  EXPECT_EQ(dead.faults, 1);
  EXPECT_EQ(dead.hangs, 0);
  EXPECT_THAT(dead.last_fault, HasSubstr("host was killed by SIGKILL"));
  EXPECT_LE(absl::Now() - dead.last_fault_at, absl::Minutes(1));
  ASSERT_TRUE(pool_->Find("host").ok());
  const DeviceState again = pool_->States()[0];
  EXPECT_TRUE(again.serving);
  EXPECT_EQ(again.faults, 1);
  EXPECT_EQ(again.starts, 2);
  EXPECT_EQ(again.recoveries.total(), 1);
}

// Waits until the host device has had so many workers, and serves.
void AwaitStarts(DevicePool& pool, std::int64_t starts) {
  const absl::Time deadline = Soon();
  while (pool.States()[0].starts < starts || !pool.States()[0].serving) {
    ASSERT_LT(absl::Now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST_F(DevicePoolTest, ReplacesAWorkerThatNobodyAsksFor) {
  for (int starts = 2; starts < 5; ++starts) {
    KillHost();
    AwaitStarts(*pool_, starts);
    EXPECT_EQ(pool_->States()[0].faults, starts - 1);
  }
}

TEST_F(DevicePoolTest, TellsItsWatcherOfFaultsAndOfServing) {
  std::mutex mutex;
  std::vector<std::string> seen;
  const auto note = [&](std::string what) {
    const std::lock_guard lock(mutex);
    seen.push_back(std::move(what));
  };
  pool_->Watch(
      {.on_fault = [&](const std::string& device, const DeviceFault&) { note(device + " fault"); },
       .on_serving = [&](const std::string& device, bool serving) { note(device + (serving ? " up" : " down")); }});
  KillHost();
  AwaitStarts(*pool_, 2);
  pool_->Watch({});
  KillHost();
  AwaitStarts(*pool_, 3);
  EXPECT_THAT(seen, testing::ElementsAre("host up", "host fault", "host down", "host up"));
}

TEST(DevicePoolHangTest, KillsAWorkerThatHangsAndServesAgain) {
  const SabotageOrders orders;
  DevicePool::Options options = HostOnly();
  options.worker.executable = GEMMD_BINARY_DIR "/sabotaged/gemmd_device_worker";
  options.worker.launch_timeout = absl::Seconds(1);
  auto created = DevicePool::Create(options);
  ASSERT_TRUE(created.ok()) << created.status();
  DevicePool& pool = **created;
  const std::shared_ptr<Device> device = *pool.Find("host");
  const auto sample = PrepareSample(*device, 3);
  ASSERT_TRUE(sample.ok()) << sample.status();
  orders.Give("hang");
  EXPECT_EQ(device->Launch(sample->request, Soon()).status().code(), absl::StatusCode::kInternal);
  AwaitStarts(pool, 2);
  EXPECT_EQ(pool.States()[0].hangs, 1);
  EXPECT_EQ(pool.States()[0].faults, 1);
  const std::shared_ptr<Device> fresh = *pool.Find("host");
  const auto again = PrepareSample(*fresh, 3);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(fresh->Launch(again->request, Soon()).ok());
}

}  // namespace
}  // namespace gemmd
