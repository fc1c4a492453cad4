#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"
#include "cache/disk_store.h"
#include "compile/nvrtc_compiler.h"
#include "kernels_src/embedded.h"
#include "temporary_directory.h"
#include "tests/unit/compile/nvrtc_fixture.h"
#include "tests/unit/spec/sample_spec.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMemoryBytes = 64 << 20;
constexpr std::int64_t kDiskBytes = 64 << 20;

// SampleSpec with an M of 64: one kernel.
KernelSpec LiteralSpec() {
  KernelSpec spec = SampleSpec();
  spec.dims["M"] = {64};
  return spec;
}

absl::Time Soon() { return absl::Now() + absl::Minutes(2); }

// More values alive at the barrier than the launch bounds leave registers for: ptxas must spill.
constexpr char kCrowdedKernel[] = R"(
extern "C" __global__ void __launch_bounds__(1024, 2) crowded(float* p) {
  float values[96];
#pragma unroll
  for (int i = 0; i < 96; ++i) values[i] = p[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 96; ++i) p[i * 1024 + threadIdx.x] = values[95 - i];
}
)";

// The real compiler; its first `count` sources get a kernel that spills.
class Spilling final : public Compiler {
 public:
  Spilling(const Compiler* inner, int count) : inner_(inner), left_(count) {}
  absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time deadline) const override {
    CompileRequest crowded = request;
    if (left_-- > 0) crowded.source += kCrowdedKernel;
    return inner_->Compile(crowded, deadline);
  }
  absl::StatusOr<std::string> Identity() const override { return inner_->Identity(); }

 private:
  const Compiler* inner_;
  mutable std::atomic<int> left_;
};

class EngineTest : public NvrtcTest {
 protected:
  void SetUp() override {
    NvrtcTest::SetUp();
    if (!library_.ok()) return;
    compiler_ = std::make_unique<NvrtcCompiler>(*library_, DeviceLibrary());
    disk_ = *DiskStore::Open(directory_.path() / "cache", kDiskBytes);
  }

  absl::StatusOr<CompileOutcome> Compile(Engine& engine, const KernelSpec& spec,
                                         std::optional<std::int64_t> m = std::nullopt) {
    return engine.Compile(spec, limits_, Assumptions{}, m, Soon());
  }

  const DeviceLimits limits_ = *LimitsOf({.major = 9, .minor = 0, .specific = true});
  TemporaryDirectory directory_;
  std::unique_ptr<NvrtcCompiler> compiler_;
  std::unique_ptr<DiskStore> disk_;
};

TEST_F(EngineTest, CompilesOnceThenAnswersFromMemory) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto first = Compile(engine, LiteralSpec());
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Compile(engine, LiteralSpec());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->tier, CacheTier::kNone);
  EXPECT_EQ(second->tier, CacheTier::kMemory);
  EXPECT_EQ(first->compiled, second->compiled);
  EXPECT_THAT(*first->compiled->modules[0].cubin, testing::StartsWith("\x7f"
                                                                      "ELF"));
  EXPECT_EQ(first->compiled->manifest.cubin_keys, CubinKeys(first->compiled->planned));
  EXPECT_EQ(engine.stats().compiler.compiles, 1);
  EXPECT_EQ(engine.stats().memory_hits, 1);
}

TEST_F(EngineTest, OneKernelServesEveryNamingOfASpec) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  ASSERT_TRUE(Compile(engine, LiteralSpec()).ok());
  KernelSpec renamed = LiteralSpec();
  renamed.name = "renamed";
  renamed.inputs["activations"] = renamed.inputs.extract("x").mapped();
  renamed.matmul_a = "activations";
  const auto outcome = Compile(engine, renamed);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->tier, CacheTier::kMemory);
  EXPECT_EQ(outcome->canonical.bindings.inputs.front(), "activations");
}

TEST_F(EngineTest, ServesFromDiskAfterARestart) {
  const auto before = [&] {
    return Compile(*std::make_unique<Engine>(compiler_.get(), disk_.get(), 0), LiteralSpec());
  }();
  ASSERT_TRUE(before.ok()) << before.status();
  Engine restarted(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto after = Compile(restarted, LiteralSpec());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->tier, CacheTier::kDisk);
  EXPECT_EQ(restarted.stats().compiler.compiles, 0);
  EXPECT_EQ(*after->compiled->modules[0].cubin, *before->compiled->modules[0].cubin);
  EXPECT_EQ(after->compiled->modules[0].compile_us, before->compiled->modules[0].compile_us);
  EXPECT_EQ(after->compiled->modules[0].usage.size(), before->compiled->modules[0].usage.size());
}

TEST_F(EngineTest, ADamagedEntryIsCompiledAgain) {
  Engine first(compiler_.get(), disk_.get(), kMemoryBytes);
  ASSERT_TRUE(Compile(first, LiteralSpec()).ok());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path() / "cache")) {
    if (entry.is_regular_file()) std::filesystem::resize_file(entry.path(), entry.file_size() / 2);
  }
  Engine restarted(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto outcome = Compile(restarted, LiteralSpec());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->tier, CacheTier::kNone);
}

TEST_F(EngineTest, PassesOverACandidateThatSpillsAndNeverCompilesItAgain) {
  const Spilling spilling(compiler_.get(), 1);
  Engine engine(&spilling, disk_.get(), kMemoryBytes);
  const auto planned = engine.Plan(LiteralSpec(), limits_, Assumptions{});
  ASSERT_TRUE(planned.ok()) << planned.status();
  const auto outcome = Compile(engine, LiteralSpec());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(engine.stats().rejected_candidates, 1);
  EXPECT_NE(outcome->compiled->planned.plan.plan_id, planned->plan.plan_id);
  EXPECT_THAT(outcome->compiled->planned.plan.reasons, testing::Contains(HasSubstr("passed over")));
  Engine restarted(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto after = Compile(restarted, LiteralSpec());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(restarted.stats().compiler.compiles, 0);
  EXPECT_EQ(after->compiled->planned.plan.plan_id, outcome->compiled->planned.plan.plan_id);
}

TEST_F(EngineTest, APinnedConfigServesEvenIfItSpills) {
  const Spilling spilling(compiler_.get(), 1000);
  Engine engine(&spilling, disk_.get(), kMemoryBytes);
  KernelSpec spec = LiteralSpec();
  spec.config = ConfigPin{.schedule = "simt", .tile = {64, 64, 16}, .stages = 2};
  const auto outcome = Compile(engine, spec);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const auto& plan = outcome->compiled->planned.plan;
  EXPECT_EQ(plan.kernels.front().config.tile_k, 16);
  EXPECT_THAT(plan.reasons, testing::Contains(HasSubstr("registers spill")));
  EXPECT_THAT(plan.reasons, testing::Contains("taken all the same: no other is left"));
}

TEST_F(EngineTest, SixtyFourCallersCompileOnce) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  std::atomic<int> served{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 64; ++i) {
    callers.emplace_back([&] { served += Compile(engine, LiteralSpec()).ok() ? 1 : 0; });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(served, 64);
  EXPECT_EQ(engine.stats().compiler.compiles, 1);
}

TEST_F(EngineTest, AMissedDeadlineIsNotRemembered) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto late = engine.Compile(LiteralSpec(), limits_, Assumptions{}, std::nullopt, absl::Now() - absl::Seconds(1));
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(Compile(engine, LiteralSpec()).ok());
}

TEST_F(EngineTest, FindsAKernelByItsPlan) {
  Engine engine(compiler_.get(), nullptr, kMemoryBytes);
  const auto outcome = Compile(engine, LiteralSpec());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const auto found = engine.Find(outcome->compiled->planned.plan.plan_id);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, outcome->compiled);
  EXPECT_EQ(engine.Find("nothing").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(EngineTest, PlanAgreesWithWhatIsCompiled) {
  Engine engine(compiler_.get(), nullptr, kMemoryBytes);
  const auto planned = engine.Plan(LiteralSpec(), limits_, Assumptions{});
  ASSERT_TRUE(planned.ok()) << planned.status();
  const auto outcome = Compile(engine, LiteralSpec());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(CubinKeys(*planned), CubinKeys(outcome->compiled->planned));
  EXPECT_EQ(planned->modules[0].generated.source, outcome->compiled->planned.modules[0].generated.source);
  EXPECT_EQ(engine.stats().compiler.compiles, 1);
}

TEST_F(EngineTest, ALaunchOfADynamicMWaitsForItsOwnRangeOnly) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto small = Compile(engine, SampleSpec(), 1);
  ASSERT_TRUE(small.ok()) << small.status();
  EXPECT_EQ(engine.stats().compiler.compiles, 1);
  const MRange range = small->compiled->planned.plan.variants[0].m;
  EXPECT_EQ(small->compiled->manifest.variants[0].m_max, range.max);
  EXPECT_TRUE(range.Contains(1));
  EXPECT_EQ(Compile(engine, SampleSpec(), range.max)->tier, CacheTier::kMemory);
  const auto next = Compile(engine, SampleSpec(), range.max + 1);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->tier, CacheTier::kNone);
  EXPECT_NE(next->compiled->planned.plan.plan_id, small->compiled->planned.plan.plan_id);
}

TEST_F(EngineTest, ADynamicMCompilesAsManyKernelsAsItsPlanHas) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto planned = engine.Plan(SampleSpec(), limits_, Assumptions{});
  ASSERT_TRUE(planned.ok()) << planned.status();
  const auto whole = Compile(engine, SampleSpec());
  ASSERT_TRUE(whole.ok()) << whole.status();
  const CompiledSpec& compiled = *whole->compiled;
  EXPECT_EQ(compiled.planned.plan, planned->plan);
  EXPECT_EQ(CubinKeys(compiled.planned), CubinKeys(*planned));
  EXPECT_EQ(compiled.manifest.cubin_keys, CubinKeys(*planned));
  ASSERT_GE(compiled.planned.plan.variants.size(), 2u);
  ASSERT_LE(compiled.planned.plan.variants.size(), 6u);
  ASSERT_EQ(compiled.modules.size(), compiled.planned.plan.kernels.size());
  EXPECT_EQ(engine.stats().compiler.compiles, static_cast<std::int64_t>(compiled.modules.size()));
  for (const std::int64_t m : {0, 1, 100, 100'000})
    EXPECT_EQ(Compile(engine, SampleSpec(), m)->tier, CacheTier::kMemory);
  EXPECT_EQ(Compile(engine, SampleSpec())->compiled, whole->compiled);
  EXPECT_TRUE(engine.Find(planned->plan.plan_id).ok());
}

TEST_F(EngineTest, AnInvalidSpecNeverReachesTheCompiler) {
  Engine engine(compiler_.get(), nullptr, kMemoryBytes);
  KernelSpec spec = LiteralSpec();
  spec.epilogue[1].operand = "resid";
  const auto outcome = Compile(engine, spec);
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(MessageOf(outcome.status())), HasSubstr("epilogue[1].operand"));
  EXPECT_EQ(engine.stats().compiler.compiles, 0);
}

}  // namespace
}  // namespace gemmd
