#include "engine/cache_inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <set>

#include "absl/time/clock.h"
#include "base/status.h"
#include "compile/nvrtc_compiler.h"
#include "kernels_src/embedded.h"
#include "temporary_directory.h"
#include "tests/unit/compile/nvrtc_fixture.h"
#include "tests/unit/spec/sample_spec.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kBytes = 64 << 20;
constexpr std::size_t kMany = 1000;

// SampleSpec with an M of 64: one kernel.
KernelSpec LiteralSpec() {
  KernelSpec spec = SampleSpec();
  spec.dims["M"] = {64};
  return spec;
}

KernelSpec OtherSpec() {
  KernelSpec spec = LiteralSpec();
  spec.epilogue.front().value = 2.5;
  return spec;
}

class CacheInventoryTest : public NvrtcTest {
 protected:
  void SetUp() override {
    NvrtcTest::SetUp();
    if (!library_.ok()) return;
    compiler_ = std::make_unique<NvrtcCompiler>(*library_, DeviceLibrary());
    disk_ = *DiskStore::Open(directory_.path() / "cache", kBytes);
    Start();
  }

  // A new process over the same disk.
  void Start() {
    engine_ = std::make_unique<Engine>(compiler_.get(), disk_.get(), kBytes);
    kernels_ = std::make_unique<KernelService>(engine_.get(), nullptr, limits_);
    inventory_ = std::make_unique<CacheInventory>(engine_.get(), disk_.get(), kernels_.get());
  }

  std::shared_ptr<const CompiledSpec> Compile(const KernelSpec& spec) {
    return engine_->Compile(spec, limits_, Assumptions{}, std::nullopt, absl::Now() + absl::Minutes(2))
        .value()
        .compiled;
  }

  std::filesystem::path PathOf(const std::string& key) const {
    return directory_.path() / "cache" / key.substr(0, 2) / key;
  }
  void Age(const std::string& key, std::chrono::hours age) const {
    std::filesystem::last_write_time(PathOf(key), std::filesystem::file_time_type::clock::now() - age);
  }

  const DeviceLimits limits_ = *LimitsOf({.major = 9, .minor = 0, .specific = true});
  TemporaryDirectory directory_;
  std::unique_ptr<NvrtcCompiler> compiler_;
  std::unique_ptr<DiskStore> disk_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<KernelService> kernels_;
  std::unique_ptr<CacheInventory> inventory_;
};

TEST_F(CacheInventoryTest, NamesAKernelInItsFastestTier) {
  const auto first = Compile(LiteralSpec());
  Start();
  const auto second = Compile(OtherSpec());
  Compile(OtherSpec());
  const std::vector<HeldKernel> held = inventory_->Kernels(kMany);
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[0].tier, CacheTier::kMemory);
  EXPECT_EQ(held[0].plan_id, second->planned.plan.plan_id);
  EXPECT_EQ(held[0].hits, 1);
  EXPECT_EQ(held[0].bytes, FootprintBytes(*second));
  EXPECT_EQ(held[1].tier, CacheTier::kDisk);
  EXPECT_EQ(held[1].plan_id, first->planned.plan.plan_id);
  EXPECT_EQ(held[1].spec_id, first->planned.spec_id);
  EXPECT_EQ(held[1].cubin_key, first->planned.modules[0].cubin_key);
  EXPECT_EQ(held[1].summary, Summary(first->planned.canonical.graph));
  EXPECT_EQ(held[1].schedule, ScheduleOf(first->planned.plan.kernels[0].config));
  EXPECT_EQ(held[1].arch, "sm_90a");
  EXPECT_EQ(inventory_->Kernels(0).size(), 1u);
}

TEST_F(CacheInventoryTest, NamesEveryKernelOfADynamicM) {
  const auto compiled = Compile(SampleSpec());
  ASSERT_GE(compiled->modules.size(), 2u);
  std::set<std::string> keys;
  for (const HeldKernel& kernel : inventory_->Kernels(kMany)) keys.insert(kernel.cubin_key);
  const std::vector<std::string> expected = CubinKeys(compiled->planned);
  EXPECT_EQ(keys, std::set<std::string>(expected.begin(), expected.end()));
  const auto purged = inventory_->Purge(PurgeKey{expected.back()});
  ASSERT_TRUE(purged.ok()) << purged.status();
  EXPECT_EQ(purged->disk_entries, 1);
  EXPECT_EQ(purged->memory_kernels, 2);  // its range's, and all ranges'
}

TEST_F(CacheInventoryTest, TellsADamagedEntryFromAKernel) {
  const std::string key = Compile(LiteralSpec())->planned.modules[0].cubin_key;
  std::filesystem::resize_file(PathOf(key), 100);
  const CachedCubins cubins = inventory_->Cubins(key.substr(0, 5), kMany);
  ASSERT_EQ(cubins.cubins.size(), 1u);
  EXPECT_EQ(cubins.cubins[0].cubin_key, key);
  EXPECT_THAT(cubins.cubins[0].damage, HasSubstr("100 bytes"));
  Start();
  EXPECT_TRUE(inventory_->Kernels(kMany).empty());
}

TEST_F(CacheInventoryTest, CountsBeyondTheLimit) {
  Compile(LiteralSpec());
  Compile(OtherSpec());
  const CachedCubins cubins = inventory_->Cubins("", 1);
  EXPECT_EQ(cubins.cubins.size(), 1u);
  EXPECT_EQ(cubins.total_entries, 2);
  EXPECT_GT(cubins.total_bytes, cubins.cubins[0].bytes);
}

TEST_F(CacheInventoryTest, APurgedKernelIsCompiledAgain) {
  const std::string key = Compile(LiteralSpec())->planned.modules[0].cubin_key;
  Compile(OtherSpec());
  const auto purged = inventory_->Purge(PurgeKey{key.substr(0, 12)});
  ASSERT_TRUE(purged.ok()) << purged.status();
  EXPECT_EQ(purged->disk_entries, 1);
  EXPECT_GT(purged->disk_bytes, 0);
  EXPECT_EQ(purged->memory_kernels, 1);
  Compile(OtherSpec());
  EXPECT_EQ(engine_->stats().compiler.compiles, 2);
  Compile(LiteralSpec());
  EXPECT_EQ(engine_->stats().compiler.compiles, 3);
}

TEST_F(CacheInventoryTest, AKeyMustNameOneEntry) {
  Compile(LiteralSpec());
  Compile(OtherSpec());
  const auto several = inventory_->Purge(PurgeKey{""});
  EXPECT_TRUE(absl::IsInvalidArgument(several.status())) << several.status();
  EXPECT_THAT(std::string(MessageOf(several.status())), HasSubstr("2 keys begin with it"));
  EXPECT_TRUE(absl::IsNotFound(inventory_->Purge(PurgeKey{"zz"}).status()));
  EXPECT_EQ(inventory_->Cubins("", kMany).total_entries, 2);
}

TEST_F(CacheInventoryTest, WhatMemoryAnswersIsInUseOnDiskToo) {
  const std::string old_key = Compile(LiteralSpec())->planned.modules[0].cubin_key;
  Start();
  const std::string hot_key = Compile(OtherSpec())->planned.modules[0].cubin_key;
  Age(old_key, std::chrono::hours(5));
  Age(hot_key, std::chrono::hours(5));
  const auto purged = inventory_->Purge(PurgeUnusedSince{absl::Now() - absl::Hours(4)});
  ASSERT_TRUE(purged.ok()) << purged.status();
  EXPECT_EQ(purged->disk_entries, 1);
  EXPECT_EQ(purged->memory_kernels, 0);
  EXPECT_EQ(inventory_->Cubins("", kMany).cubins[0].cubin_key, hot_key);
}

TEST_F(CacheInventoryTest, EverythingGoesAtOnce) {
  Compile(LiteralSpec());
  Compile(OtherSpec());
  const auto purged = inventory_->Purge(PurgeAll{});
  ASSERT_TRUE(purged.ok()) << purged.status();
  EXPECT_EQ(purged->disk_entries, 2);
  EXPECT_EQ(purged->memory_kernels, 2);
  EXPECT_TRUE(inventory_->Kernels(kMany).empty());
  EXPECT_EQ(inventory_->Stats().disk_entries, 0);
  EXPECT_EQ(inventory_->Stats().engine.memory.bytes, 0);
}

}  // namespace
}  // namespace gemmd
