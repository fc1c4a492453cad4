// What needs a device: buffers, loaded kernels, runs in chunks, launches on buffers. The device is the host's worker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "absl/time/clock.h"
#include "base/status.h"
#include "compile/subprocess_compiler.h"
#include "engine/buffer_launch.h"
#include "engine/streamed_run.h"
#include "tests/testing/sabotage_orders.h"
#include "tests/unit/compile/nvrtc_fixture.h"
#include "tests/unit/spec/sample_spec.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

absl::Time Soon() { return absl::Now() + absl::Minutes(2); }

// out = x * w + bias, 2 x 2 x 2 in f32.
KernelSpec SmallSpec() {
  KernelSpec spec;
  spec.inputs = {{"x", {DType::kF32, {2, 2}, Layout::kRowMajor}},
                 {"w", {DType::kF32, {2, 2}, Layout::kRowMajor}},
                 {"bias", {DType::kF32, {2}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.epilogue = {{.kind = OpKind::kAdd, .operand = "bias"}, Store("out", DType::kF32)};
  return spec;
}

const std::map<std::string, std::vector<float>> kInputs = {
    {"x", {1, 2, 3, 4}}, {"w", {5, 6, 7, 8}}, {"bias", {100, 200}}};
const std::vector<float> kExpected = {119, 222, 143, 250};

class DeviceWorkTest : public testing::Test {
 protected:
  void SetUp() override {
    DevicePool::Options options;
    options.worker.executable = GEMMD_BINARY_DIR "/sabotaged/gemmd_device_worker";
    options.cuda_ordinals = std::vector<int>{};
    auto pool = DevicePool::Create(options);
    ASSERT_TRUE(pool.ok()) << pool.status();
    devices_ = *std::move(pool);
    kernels_ = std::make_unique<KernelService>(&engine_, devices_.get(), *LimitsOf({.major = 8, .minor = 0}));
  }

  static absl::Status Feed(StreamedRun& run) {
    for (const auto& [name, values] : kInputs) {
      GEMMD_RETURN_IF_ERROR(run.TakeInput(name, 0, std::as_bytes(std::span(values))));
    }
    return absl::OkStatus();
  }

  // A handle with these values.
  std::string MakeBuffer(const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    const auto device = *kernels_->FindDevice("host");
    std::string handle = *buffers_.Create(device, static_cast<std::int64_t>(bytes.size()), Soon());
    EXPECT_TRUE(device->Write((*buffers_.Find(handle))->memory.id(), 0, bytes, Soon()).ok());
    return handle;
  }
  BufferLaunch SmallLaunch() {
    BufferLaunch launch{.spec = SmallSpec(), .device = "", .dims = {}, .scalars = {}, .tensors = {}};
    for (const auto& [name, values] : kInputs) launch.tensors[name].handle = MakeBuffer(values);
    launch.tensors["out"].handle = MakeBuffer({0, 0, 0, 0});
    return launch;
  }
  absl::StatusOr<std::vector<float>> ReadBuffer(const std::string& handle) {
    std::vector<float> values(4);
    GEMMD_ASSIGN_OR_RETURN(const auto buffer, buffers_.Find(handle));
    GEMMD_RETURN_IF_ERROR(
        buffer->device->Read(buffer->memory.id(), 0, std::as_writable_bytes(std::span(values)), Soon()));
    return values;
  }

  SabotageOrders orders_;
  SubprocessCompiler compiler_{{.worker_executable = GEMMD_BINARY_DIR "/bin/gemmd_compile_worker",
                                .nvrtc_directories = TestNvrtcDirectories(),
                                .workers = 1}};
  Engine engine_{&compiler_, nullptr, 64 << 20};
  std::unique_ptr<DevicePool> devices_;
  std::unique_ptr<KernelService> kernels_;
  DeviceBuffers buffers_;
};

TEST_F(DeviceWorkTest, AStreamedRunComputesTheSpec) {
  auto run = StreamedRun::Start(kernels_.get(), {.spec = SmallSpec(), .device = "", .dims = {}, .scalars = {}}, Soon());
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_TRUE(Feed(*run).ok());
  const auto launched = run->Launch();
  ASSERT_TRUE(launched.ok()) << launched.status();
  std::vector<float> out(4);
  ASSERT_TRUE(run->ReadOutput(0, 0, std::as_writable_bytes(std::span(out))).ok());
  EXPECT_EQ(out, kExpected);
}

TEST_F(DeviceWorkTest, AStreamedRunWithoutAnInputDoesNotLaunch) {
  auto run = StreamedRun::Start(kernels_.get(), {.spec = SmallSpec(), .device = "", .dims = {}, .scalars = {}}, Soon());
  ASSERT_TRUE(run.ok()) << run.status();
  const auto launched = run->Launch();
  EXPECT_EQ(launched.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(MessageOf(launched.status())), HasSubstr("inputs.bias: missing; 0 of 8 bytes"));
}

TEST_F(DeviceWorkTest, WithoutACompilerTheHostComputesAndSaysWhy) {
  const SubprocessCompiler none({.worker_executable = GEMMD_BINARY_DIR "/bin/gemmd_compile_worker",
                                 .nvrtc_directories = {GEMMD_SOURCE_DIR},
                                 .workers = 1});
  Engine engine(&none, nullptr, 0);
  KernelService kernels(&engine, devices_.get(), *LimitsOf({.major = 8, .minor = 0}));
  const auto launched = LaunchOnBuffers(kernels, buffers_, SmallLaunch(), Soon());
  ASSERT_TRUE(launched.ok()) << launched.status();
  EXPECT_EQ(launched->launch.compile.tier, CacheTier::kUncompiled);
  EXPECT_THAT(launched->launch.compile.uncompiled, HasSubstr("libnvrtc"));
}

TEST_F(DeviceWorkTest, ALaunchComputesOnBuffers) {
  const BufferLaunch launch = SmallLaunch();
  const auto outcome = LaunchOnBuffers(*kernels_, buffers_, launch, Soon());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->device, "host");
  EXPECT_EQ(*ReadBuffer(launch.tensors.at("out").handle), kExpected);
}

// aux = x * w + residual, out = aux * residual, where aux lies on residual: both see it as it was.
TEST_F(DeviceWorkTest, ALaunchInPlaceReadsAnOperandAsItWas) {
  BufferLaunch launch = SmallLaunch();
  launch.spec.inputs.erase("bias");
  launch.spec.inputs["residual"] = {DType::kF32, {2, 2}, Layout::kRowMajor};
  launch.spec.epilogue = {{.kind = OpKind::kAdd, .operand = "residual"},
                          Store("aux", DType::kF32),
                          {.kind = OpKind::kMul, .operand = "residual"},
                          Store("out", DType::kF32)};
  launch.tensors.erase("bias");
  launch.tensors["residual"].handle = launch.tensors["aux"].handle = MakeBuffer({1, 2, 3, 4});
  const auto outcome = LaunchOnBuffers(*kernels_, buffers_, launch, Soon());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(*ReadBuffer(launch.tensors.at("aux").handle), (std::vector<float>{20, 24, 46, 54}));
  EXPECT_EQ(*ReadBuffer(launch.tensors.at("out").handle), (std::vector<float>{20, 48, 138, 216}));
}

TEST_F(DeviceWorkTest, ALaunchNamesTheTensorWhoseBufferIsUnknown) {
  BufferLaunch launch = SmallLaunch();
  launch.tensors["bias"].handle = "0123";
  const auto outcome = LaunchOnBuffers(*kernels_, buffers_, launch, Soon());
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(MessageOf(outcome.status())), HasSubstr("tensors.bias"));
}

TEST_F(DeviceWorkTest, AKernelIsLoadedAnewAfterItsWorkerDied) {
  const auto before = LaunchOnBuffers(*kernels_, buffers_, SmallLaunch(), Soon());
  ASSERT_TRUE(before.ok()) << before.status();
  const auto device = *kernels_->FindDevice("host");
  kill(static_cast<const WorkerDevice&>(*device).pid(), SIGKILL);
  EXPECT_EQ(device->Allocate(1, Soon()).status().code(), absl::StatusCode::kUnavailable);
  const BufferLaunch launch = SmallLaunch();
  const auto outcome = LaunchOnBuffers(*kernels_, buffers_, launch, Soon());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(*ReadBuffer(launch.tensors.at("out").handle), kExpected);
}

TEST_F(DeviceWorkTest, AFreedBufferLivesUntilItsUserIsDone) {
  const std::string handle = MakeBuffer({1, 2, 3, 4});
  const auto held = *buffers_.Find(handle);
  ASSERT_TRUE(buffers_.Free(handle).ok());
  EXPECT_EQ(buffers_.Find(handle).status().code(), absl::StatusCode::kNotFound);
  std::vector<float> values(4);
  EXPECT_TRUE(held->device->Read(held->memory.id(), 0, std::as_writable_bytes(std::span(values)), Soon()).ok());
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3, 4}));
}

TEST_F(DeviceWorkTest, AScopedBufferIsFreedWithItsScope) {
  const auto device = *kernels_->FindDevice("host");
  BufferId id{};
  {
    const auto scoped = ScopedBuffer::Allocate(device, 0, Soon());
    ASSERT_TRUE(scoped.ok()) << scoped.status();
    id = scoped->id();
    std::byte byte{};
    EXPECT_TRUE(device->Read(id, 0, {&byte, 1}, Soon()).ok());
  }
  EXPECT_EQ(device->Free(id, Soon()).code(), absl::StatusCode::kNotFound);
}

TEST_F(DeviceWorkTest, CountsBuffersLaunchesAndTheTimesOfTheStages) {
  const BufferLaunch launch = SmallLaunch();
  EXPECT_EQ(buffers_.Totals().at("host").buffers, 4);
  EXPECT_EQ(buffers_.Totals().at("host").bytes, 16 + 16 + 8 + 16);
  ASSERT_TRUE(LaunchOnBuffers(*kernels_, buffers_, launch, Soon()).ok());
  ASSERT_TRUE(LaunchOnBuffers(*kernels_, buffers_, launch, Soon()).ok());
  EXPECT_EQ(kernels_->Launches().at("host").done, 2);
  EXPECT_EQ(kernels_->Launches().at("host").failed, 0);
  EXPECT_EQ(kernels_->stages().of(Stage::kLaunch).Take().total(), 2);
  EXPECT_EQ(kernels_->stages().of(Stage::kQueue).Take().total(), 2);
  EXPECT_EQ(kernels_->LaunchQueues().at("host").places, 2);  // for its one slot: a launch that runs, and the next
  EXPECT_EQ(kernels_->LaunchQueues().at("host").taken, 0);
  EXPECT_EQ(kernels_->stages().of(Stage::kLoad).Take().total(), 1);
  EXPECT_GE(kernels_->stages().of(Stage::kPlan).Take().total(), 1);
  EXPECT_GE(kernels_->stages().of(Stage::kGenerate).Take().total(), 1);
  for (const auto& [name, tensor] : launch.tensors) EXPECT_TRUE(buffers_.Free(tensor.handle).ok());
  EXPECT_TRUE(buffers_.Totals().empty());
}

TEST_F(DeviceWorkTest, ALaunchThatTheDeviceLosesCountsAsFailed) {
  const BufferLaunch launch = SmallLaunch();
  ASSERT_TRUE(LaunchOnBuffers(*kernels_, buffers_, launch, Soon()).ok());
  orders_.Give("crash");
  const absl::Status status = LaunchOnBuffers(*kernels_, buffers_, launch, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(kernels_->Launches().at("host").failed, 1);
}

TEST_F(DeviceWorkTest, ABufferOfALostDeviceIsDataLossUntilItIsFreed) {
  BufferLaunch launch = SmallLaunch();
  const std::shared_ptr<Device> device = *kernels_->FindDevice("host");
  kill(static_cast<WorkerDevice&>(*device).pid(), SIGKILL);
  EXPECT_EQ(device->Allocate(1, Soon()).status().code(), absl::StatusCode::kUnavailable);
  const std::string& handle = launch.tensors["x"].handle;
  for (int i = 0; i < 2; ++i) {  // before it is dropped, and after
    const absl::Status found = buffers_.Find(handle).status();
    EXPECT_EQ(found.code(), absl::StatusCode::kDataLoss) << found;
    EXPECT_THAT(std::string(MessageOf(found)), HasSubstr("make it anew: the worker of host was killed by SIGKILL"));
    const absl::Status launched = LaunchOnBuffers(*kernels_, buffers_, launch, Soon()).status();
    EXPECT_EQ(launched.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(MessageOf(launched)), HasSubstr("tensors."));
    buffers_.DropLost();
  }
  EXPECT_EQ(buffers_.lost(), 4);
  EXPECT_TRUE(buffers_.Totals().empty());
  EXPECT_TRUE(buffers_.Free(handle).ok());
  EXPECT_EQ(buffers_.Find(handle).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(DeviceWorkTest, WhatWasLoadedOnALostDeviceIsLetGoOf) {
  ASSERT_TRUE(LaunchOnBuffers(*kernels_, buffers_, SmallLaunch(), Soon()).ok());
  std::shared_ptr<Device> device = *kernels_->FindDevice("host");
  EXPECT_EQ(kernels_->LoadedOn().size(), 1u);
  kill(static_cast<WorkerDevice&>(*device).pid(), SIGKILL);
  EXPECT_EQ(device->Allocate(1, Soon()).status().code(), absl::StatusCode::kUnavailable);
  kernels_->NoteFault("host", static_cast<WorkerDevice&>(*device).Fault());
  EXPECT_TRUE(kernels_->LoadedOn().empty());
}

TEST_F(DeviceWorkTest, AKernelThatCrashesAgainAndAgainIsLaunchedNoMore) {
  devices_->Watch({.on_fault = [this](const std::string& device, const DeviceFault& fault) {
    kernels_->NoteFault(device, fault);
  }});
  orders_.Give("always-crash");
  absl::Status status;
  for (int i = 0; i < 3; ++i) {
    status = LaunchOnBuffers(*kernels_, buffers_, SmallLaunch(), Soon()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  }
  const BufferLaunch launch = SmallLaunch();
  status = LaunchOnBuffers(*kernels_, buffers_, launch, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_EQ(StreamedRun::Start(kernels_.get(), {.spec = SmallSpec(), .device = "", .dims = {}, .scalars = {}}, Soon())
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
  orders_.Withdraw("always-crash");
  EXPECT_EQ(kernels_->quarantine().ReleaseAll(), 1);
  ASSERT_TRUE(LaunchOnBuffers(*kernels_, buffers_, launch, Soon()).ok());
  EXPECT_EQ(*ReadBuffer(launch.tensors.at("out").handle), kExpected);
  devices_->Watch({});
}

}  // namespace
}  // namespace gemmd
