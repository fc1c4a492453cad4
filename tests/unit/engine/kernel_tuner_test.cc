#include "engine/kernel_tuner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"
#include "compile/subprocess_compiler.h"
#include "temporary_directory.h"
#include "tests/testing/sabotage_orders.h"
#include "tests/unit/compile/nvrtc_fixture.h"
#include "tests/unit/spec/sample_spec.h"

namespace gemmd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

absl::Time Soon() { return absl::Now() + absl::Minutes(2); }

// A spec with an M that launches choose, small enough for the host.
KernelSpec SmallSpec() {
  KernelSpec spec;
  spec.dims = {{"M", {}}};
  spec.inputs = {{"x", {DType::kBf16, {"M", 32}, Layout::kRowMajor}},
                 {"w", {DType::kBf16, {32, 64}, Layout::kRowMajor}},
                 {"bias", {DType::kF32, {64}, Layout::kRowMajor}},
                 {"alpha", {DType::kF32, {}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.epilogue = {{.kind = OpKind::kMul, .operand = "alpha"},
                   {.kind = OpKind::kAdd, .operand = "bias"},
                   {.kind = OpKind::kSoftmax},
                   Store("out", DType::kBf16)};
  return spec;
}

// A daemon's pipeline, on the host's worker. There is no compiler: the host needs none.
struct Pipeline {
  explicit Pipeline(const std::filesystem::path& records) : store(records) {
    DevicePool::Options options;
    options.worker.executable = GEMMD_BINARY_DIR "/sabotaged/gemmd_device_worker";
    options.cuda_ordinals = std::vector<int>{};
    devices = *DevicePool::Create(options);
    kernels = std::make_unique<KernelService>(&engine, devices.get(), *LimitsOf({9, 0, true}));
    tuner = std::make_unique<KernelTuner>(&engine, kernels.get(), &store, 2);
    devices->Watch({.on_fault = [this](const std::string& device, const DeviceFault& fault) {
      kernels->NoteFault(device, fault);
    }});
  }
  ~Pipeline() { devices->Watch({}); }

  TuneRequest Request() const {
    TuneRequest request;
    request.spec = SmallSpec();
    request.dims = {{"M", 48}};
    request.budget = absl::Milliseconds(700);
    return request;
  }
  // Why the plan for that M is as it is.
  std::vector<std::string> Reasons(std::int64_t m) const {
    const auto host = kernels->FindDevice("host");
    const auto prepared = kernels->Prepare(SmallSpec(), (*host)->info(), Assumptions{}, m, Soon());
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    return prepared->compiled->planned.plan.reasons;
  }

  TuningStore store;
  SubprocessCompiler compiler{{.worker_executable = "/nonexistent/gemmd_compile_worker", .nvrtc_directories = {}}};
  Engine engine{&compiler, nullptr, 64 << 20, &store};
  std::unique_ptr<DevicePool> devices;
  std::unique_ptr<KernelService> kernels;
  std::unique_ptr<KernelTuner> tuner;
};

class KernelTunerTest : public testing::Test {
 protected:
  std::filesystem::path records() const { return directory_.path() / "tuning.db"; }
  TemporaryDirectory directory_;
};

TEST_F(KernelTunerTest, RecordsTheWinnerWhichThenServesAlsoAfterARestart) {
  {
    Pipeline pipeline(records());
    EXPECT_THAT(pipeline.Reasons(48), Not(Contains(HasSubstr("tuned"))));
    const auto outcome = pipeline.tuner->Tune(pipeline.Request(), Soon());
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_TRUE(outcome->search.winner().verified);
    EXPECT_GT(outcome->search.winner().time_ns, 0);
    EXPECT_EQ(outcome->record.shape, (GemmShape{48, 64, 32}));
    EXPECT_TRUE(outcome->record.key.m.Contains(48));
    EXPECT_THAT(outcome->not_recorded, IsEmpty());
    EXPECT_THAT(pipeline.Reasons(48), Contains(HasSubstr("tuned at M = 48")));
  }
  Pipeline again(records());
  EXPECT_THAT(again.Reasons(48), Contains(HasSubstr("tuned at M = 48")));
}

TEST_F(KernelTunerTest, TellsWhatItTries) {
  Pipeline pipeline(records());
  TuneRequest request = pipeline.Request();
  SearchProgress last;
  request.progress = [&](const SearchProgress& progress) { last = progress; };
  const auto outcome = pipeline.tuner->Tune(request, Soon());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_GT(last.tried, 1u);
  EXPECT_EQ(last.known, outcome->search.candidates.size());
}

TEST_F(KernelTunerTest, KeepsNothingOfWhatWasCancelled) {
  Pipeline pipeline(records());
  TuneRequest request = pipeline.Request();
  request.cancelled = [] { return true; };
  EXPECT_TRUE(absl::IsCancelled(pipeline.tuner->Tune(request, Soon()).status()));
  EXPECT_THAT(pipeline.store.List(), IsEmpty());
}

TEST_F(KernelTunerTest, RefusesWhatCanNotBeTuned) {
  Pipeline pipeline(records());
  const auto refusal = [&](auto change) {
    TuneRequest request = pipeline.Request();
    change(request);
    const absl::Status status = pipeline.tuner->Tune(request, Soon()).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(MessageOf(status));
  };
  EXPECT_THAT(refusal([](TuneRequest& request) { request.spec.config.schedule = "simt"; }), HasSubstr("config"));
  EXPECT_THAT(refusal([](TuneRequest& request) { request.dims = {}; }), HasSubstr("M"));
  EXPECT_THAT(refusal([](TuneRequest& request) { request.dims["M"] = 0; }), HasSubstr("nothing to compute"));
  EXPECT_THAT(refusal([](TuneRequest& request) { request.budget = absl::ZeroDuration(); }), HasSubstr("budget"));
}

TEST_F(KernelTunerTest, RunsOneSearchAtATimeOnADevice) {
  Pipeline pipeline(records());
  std::atomic<bool> begun = false, enough = false;
  TuneRequest request = pipeline.Request();
  request.budget = absl::Seconds(60);
  request.progress = [&](const SearchProgress&) { begun = true; };
  request.cancelled = [&] { return enough.load(); };
  std::thread first([&] { EXPECT_TRUE(absl::IsCancelled(pipeline.tuner->Tune(request, Soon()).status())); });
  while (!begun) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(absl::IsResourceExhausted(pipeline.tuner->Tune(pipeline.Request(), Soon()).status()));
  enough = true;
  first.join();
}

TEST_F(KernelTunerTest, GoesOnAfterACandidateCostTheDeviceItsWorker) {
  const SabotageOrders orders;
  Pipeline pipeline(records());
  TuneRequest request = pipeline.Request();
  request.budget = absl::Seconds(3);
  bool ordered = false;
  request.progress = [&](const SearchProgress& progress) {
    if (ordered || progress.tried < 4) return;
    orders.Give("crash");
    ordered = true;
  };
  const auto outcome = pipeline.tuner->Tune(request, Soon());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(ordered);
  std::vector<std::string> rejections;
  for (const TriedCandidate& candidate : outcome->search.candidates) rejections.push_back(candidate.rejection);
  EXPECT_THAT(rejections, Contains(HasSubstr("SIGABRT")));
}

TEST_F(KernelTunerTest, TakesRecordsFromElsewhere) {
  TuningRecord record;
  {
    Pipeline pipeline(records());
    const auto outcome = pipeline.tuner->Tune(pipeline.Request(), Soon());
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    record = outcome->record;
  }
  Pipeline other(directory_.path() / "other.db");
  EXPECT_THAT(other.Reasons(48), Not(Contains(HasSubstr("tuned"))));
  ASSERT_TRUE(other.tuner->Import({record}).ok());
  EXPECT_THAT(other.Reasons(48), Contains(HasSubstr("tuned")));
  record.config.tile_m = 1000;  // no config at all
  ASSERT_TRUE(other.tuner->Import({record}).ok());
  EXPECT_THAT(other.Reasons(48), Not(Contains(HasSubstr("tuned"))));
}

}  // namespace
}  // namespace gemmd
