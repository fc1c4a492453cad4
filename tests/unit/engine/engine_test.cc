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

// The real compiler; its first source gets a kernel that spills.
class SpillingOnce final : public Compiler {
 public:
  explicit SpillingOnce(const Compiler* inner) : inner_(inner) {}
  absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time deadline) const override {
    CompileRequest crowded = request;
    if (!spilled_.exchange(true)) crowded.source += kCrowdedKernel;
    return inner_->Compile(crowded, deadline);
  }
  absl::StatusOr<std::string> Identity() const override { return inner_->Identity(); }

 private:
  const Compiler* inner_;
  mutable std::atomic<bool> spilled_{false};
};

class EngineTest : public NvrtcTest {
 protected:
  void SetUp() override {
    NvrtcTest::SetUp();
    if (!library_.ok()) return;
    compiler_ = std::make_unique<NvrtcCompiler>(*library_, DeviceLibrary());
    disk_ = *DiskStore::Open(directory_.path() / "cache", kDiskBytes);
  }

  absl::StatusOr<CompileOutcome> Compile(Engine& engine, const KernelSpec& spec) {
    return engine.Compile(spec, limits_, Assumptions{}, Soon());
  }

  const DeviceLimits limits_ = *LimitsOf({.major = 9, .minor = 0, .specific = true});
  TemporaryDirectory directory_;
  std::unique_ptr<NvrtcCompiler> compiler_;
  std::unique_ptr<DiskStore> disk_;
};

TEST_F(EngineTest, CompilesOnceThenAnswersFromMemory) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto first = Compile(engine, SampleSpec());
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Compile(engine, SampleSpec());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->tier, CacheTier::kNone);
  EXPECT_EQ(second->tier, CacheTier::kMemory);
  EXPECT_EQ(first->kernel, second->kernel);
  EXPECT_THAT(*first->kernel->cubin, testing::StartsWith("\x7f"
                                                         "ELF"));
  EXPECT_EQ(first->kernel->manifest.cubin_keys, std::vector{first->kernel->planned.cubin_key});
  EXPECT_EQ(engine.stats().compiler.compiles, 1);
  EXPECT_EQ(engine.stats().memory_hits, 1);
}

TEST_F(EngineTest, OneKernelServesEveryNamingOfASpec) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  ASSERT_TRUE(Compile(engine, SampleSpec()).ok());
  KernelSpec renamed = SampleSpec();
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
    return Compile(*std::make_unique<Engine>(compiler_.get(), disk_.get(), 0), SampleSpec());
  }();
  ASSERT_TRUE(before.ok()) << before.status();
  Engine restarted(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto after = Compile(restarted, SampleSpec());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->tier, CacheTier::kDisk);
  EXPECT_EQ(restarted.stats().compiler.compiles, 0);
  EXPECT_EQ(*after->kernel->cubin, *before->kernel->cubin);
  EXPECT_EQ(after->kernel->compile_us, before->kernel->compile_us);
  EXPECT_EQ(after->kernel->usage.size(), before->kernel->usage.size());
}

TEST_F(EngineTest, ADamagedEntryIsCompiledAgain) {
  Engine first(compiler_.get(), disk_.get(), kMemoryBytes);
  ASSERT_TRUE(Compile(first, SampleSpec()).ok());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path() / "cache")) {
    if (entry.is_regular_file()) std::filesystem::resize_file(entry.path(), entry.file_size() / 2);
  }
  Engine restarted(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto outcome = Compile(restarted, SampleSpec());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->tier, CacheTier::kNone);
}

TEST_F(EngineTest, PassesOverACandidateThatSpillsAndNeverCompilesItAgain) {
  const SpillingOnce spilling(compiler_.get());
  Engine engine(&spilling, disk_.get(), kMemoryBytes);
  const auto planned = engine.Plan(SampleSpec(), limits_, Assumptions{});
  ASSERT_TRUE(planned.ok()) << planned.status();
  const auto outcome = Compile(engine, SampleSpec());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(engine.stats().rejected_candidates, 1);
  EXPECT_EQ(engine.stats().compiler.compiles, 2);
  EXPECT_NE(outcome->kernel->planned.plan.plan_id, planned->plan.plan_id);
  EXPECT_THAT(outcome->kernel->planned.plan.reasons, testing::Contains(HasSubstr("passed over")));
  Engine restarted(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto after = Compile(restarted, SampleSpec());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(restarted.stats().compiler.compiles, 0);
  EXPECT_EQ(after->kernel->planned.plan.plan_id, outcome->kernel->planned.plan.plan_id);
}

TEST_F(EngineTest, SixtyFourCallersCompileOnce) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  std::atomic<int> served{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 64; ++i) {
    callers.emplace_back([&] { served += Compile(engine, SampleSpec()).ok() ? 1 : 0; });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(served, 64);
  EXPECT_EQ(engine.stats().compiler.compiles, 1);
}

TEST_F(EngineTest, AMissedDeadlineIsNotRemembered) {
  Engine engine(compiler_.get(), disk_.get(), kMemoryBytes);
  const auto late = engine.Compile(SampleSpec(), limits_, Assumptions{}, absl::Now() - absl::Seconds(1));
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(Compile(engine, SampleSpec()).ok());
}

TEST_F(EngineTest, FindsAKernelByItsPlan) {
  Engine engine(compiler_.get(), nullptr, kMemoryBytes);
  const auto outcome = Compile(engine, SampleSpec());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const auto found = engine.Find(outcome->kernel->planned.plan.plan_id);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, outcome->kernel);
  EXPECT_EQ(engine.Find("nothing").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(EngineTest, PlanAgreesWithWhatIsCompiled) {
  Engine engine(compiler_.get(), nullptr, kMemoryBytes);
  const auto planned = engine.Plan(SampleSpec(), limits_, Assumptions{});
  ASSERT_TRUE(planned.ok()) << planned.status();
  const auto outcome = Compile(engine, SampleSpec());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(planned->cubin_key, outcome->kernel->planned.cubin_key);
  EXPECT_EQ(planned->generated.source, outcome->kernel->planned.generated.source);
  EXPECT_EQ(engine.stats().compiler.compiles, 1);
}

TEST_F(EngineTest, AnInvalidSpecNeverReachesTheCompiler) {
  Engine engine(compiler_.get(), nullptr, kMemoryBytes);
  KernelSpec spec = SampleSpec();
  spec.epilogue[1].operand = "resid";
  const auto outcome = Compile(engine, spec);
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(MessageOf(outcome.status())), HasSubstr("epilogue[1].operand"));
  EXPECT_EQ(engine.stats().compiler.compiles, 0);
}

}  // namespace
}  // namespace gemmd
