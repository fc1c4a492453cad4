// A search on a GPU, through a daemon's pipeline: workers compile, a worker launches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "absl/time/clock.h"
#include "compile/nvrtc_library.h"
#include "compile/subprocess_compiler.h"
#include "engine/kernel_tuner.h"
#include "engine/tuning_tensors.h"
#include "runtime/device_pool.h"
#include "spec/kernel_spec.h"

namespace gemmd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

absl::Time Soon() { return absl::Now() + absl::Minutes(3); }

KernelSpec ProductSpec(std::int64_t m, std::int64_t n, std::int64_t k) {
  KernelSpec spec;
  spec.inputs = {{"x", {DType::kBf16, {m, k}, Layout::kRowMajor}}, {"w", {DType::kBf16, {k, n}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.epilogue = {{.kind = OpKind::kStore, .output = "out", .dtype = DType::kBf16}};
  return spec;
}

class GpuTuningTest : public testing::Test {
 protected:
  void SetUp() override {
    DevicePool::Options options;
    options.worker.executable = GEMMD_BINARY_DIR "/bin/gemmd_device_worker";
    options.include_host = false;
    absl::StatusOr<std::unique_ptr<DevicePool>> devices = DevicePool::Create(options);
    if (absl::IsNotFound(devices.status())) GTEST_SKIP() << "skipped, no GPU: " << devices.status();
    ASSERT_TRUE(devices.ok()) << devices.status();
    devices_ = *std::move(devices);
    std::filesystem::create_directories(directory_);
    store_ = std::make_unique<TuningStore>(directory_ / "tuning.db");
    engine_ = std::make_unique<Engine>(&compiler_, nullptr, std::int64_t{1} << 28, store_.get());
    kernels_ = std::make_unique<KernelService>(engine_.get(), devices_.get(), *LimitsOf({9, 0, true}));
    tuner_ = std::make_unique<KernelTuner>(engine_.get(), kernels_.get(), store_.get(), kCompiles);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  TuneOutcome Tune(const KernelSpec& spec) {
    TuneRequest request;
    request.spec = spec;
    request.budget = absl::Seconds(10);
    absl::StatusOr<TuneOutcome> outcome = tuner_->Tune(request, Soon());
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? *std::move(outcome) : TuneOutcome{};
  }
  static int Measured(const SearchOutcome& search) {
    return static_cast<int>(std::ranges::count_if(
        search.candidates, [](const TriedCandidate& candidate) { return candidate.time_ns > 0; }));
  }

  static constexpr int kCompiles = 8;
  const std::filesystem::path directory_ = testing::TempDir() + "gemmd_gpu_tuning." + std::to_string(getpid());
  SubprocessCompiler compiler_{{.worker_executable = GEMMD_BINARY_DIR "/bin/gemmd_compile_worker",
                                .nvrtc_directories = UsualNvrtcDirectories(GEMMD_BINARY_DIR "/bin"),
                                .workers = kCompiles}};
  std::unique_ptr<DevicePool> devices_;
  std::unique_ptr<TuningStore> store_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<KernelService> kernels_;
  std::unique_ptr<KernelTuner> tuner_;
};

TEST_F(GpuTuningTest, FindsAWinnerThatIsRightAndThenServes) {
  const KernelSpec spec = ProductSpec(2048, 2048, 2048);
  const TuneOutcome outcome = Tune(spec);
  ASSERT_FALSE(outcome.search.candidates.empty());
  EXPECT_TRUE(outcome.search.winner().verified);
  EXPECT_GT(Measured(outcome.search), 8);
  for (const TriedCandidate& candidate : outcome.search.candidates) {
    EXPECT_THAT(candidate.rejection, Not(HasSubstr("not what the portable kernel computes")));
  }
  const auto planned = kernels_->Plan(spec, {});
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(planned->plan.kernels.back().config, outcome.search.winner().config);
  EXPECT_THAT(planned->plan.reasons, Contains(HasSubstr("tuned at M = 2048")));
}

TEST_F(GpuTuningTest, RowReductionsInAKernelOfTheirOwnCompete) {
  KernelSpec spec = ProductSpec(4096, 2048, 1024);
  spec.epilogue.insert(spec.epilogue.begin(), {.kind = OpKind::kSoftmax});
  const TuneOutcome outcome = Tune(spec);
  ASSERT_FALSE(outcome.search.candidates.empty());
  EXPECT_TRUE(outcome.search.winner().verified);
  const auto has = [&](RowSchedule rows) {
    return std::ranges::any_of(outcome.search.candidates, [&](const TriedCandidate& candidate) {
      return candidate.config.rows == rows && candidate.time_ns > 0;
    });
  };
  EXPECT_TRUE(has(RowSchedule::kTwoKernels));
  const bool is_hopper = (*devices_->Default())->info().limits.arch == Arch{9, 0, true};
  EXPECT_EQ(has(RowSchedule::kBarrier), is_hopper);
}

// A warm launch is no yardstick: nothing runs before it, and its time has what the host takes to enqueue it.
TEST_F(GpuTuningTest, AFlushIsNoneOfALaunchsTime) {
  const KernelSpec spec = ProductSpec(1, 2048, 2048);
  const CanonicalSpec canonical = Canonicalize(spec);
  const auto device = devices_->Default();
  ASSERT_TRUE(device.ok()) << device.status();
  const auto signature = ResolveSignature(spec, canonical, {}, {});
  ASSERT_TRUE(signature.ok()) << signature.status();
  const auto tensors = TuningTensors::Make(*device, canonical.graph, *signature, Soon());
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  const auto prepared = kernels_->Prepare(spec, (*device)->info(), Assumptions{}, 1, Soon());
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const auto kernel = LoadKernel(*device, *prepared->compiled, Soon());
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  std::vector<std::int64_t> times;
  for (int i = 0; i < 21; ++i) {
    const auto result =
        (*device)->Launch(tensors->RequestFor((*kernel)->id(), TuningTensors::Outputs::kCandidate, true), Soon());
    ASSERT_TRUE(result.ok()) << result.status();
    times.push_back(result->device_ns);
  }
  std::ranges::nth_element(times, times.begin() + 10);
  constexpr std::int64_t kBytesPerNs = 10'000;  // of faster memory than there is
  EXPECT_GT(times[10], 2048 * 2048 * 2 / kBytesPerNs);
  EXPECT_LT(times[10], (*device)->info().limits.l2_bytes * 4 / kBytesPerNs);
}

}  // namespace
}  // namespace gemmd
