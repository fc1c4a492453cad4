#include "compile/nvrtc_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"
#include "nvrtc_fixture.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

constexpr EmbeddedFile kHeaders[] = {
    {"first/scale.cuh", "#include \"second/factor.cuh\"\n__device__ float Scale(float x) { return x * kFactor; }\n"},
    {"second/factor.cuh", "#pragma once\nconstexpr float kFactor = 3.0f;\n"},
};

class NvrtcCompilerTest : public NvrtcTest {
 protected:
  void SetUp() override {
    NvrtcTest::SetUp();
    if (!IsSkipped()) compiler_.emplace(*library_, kHeaders);
  }
  absl::StatusOr<Cubin> Compile(const std::string& source, Arch arch = {9, 0, true}) const {
    return compiler_->Compile({source, arch, StandardOptions()}, absl::InfiniteFuture());
  }
  std::optional<NvrtcCompiler> compiler_;
};

TEST_F(NvrtcCompilerTest, MakesAnElfImageAndAReport) {
  const auto cubin = Compile(kTrivialKernel);
  ASSERT_TRUE(cubin.ok()) << cubin.status();
  EXPECT_EQ(cubin->image.substr(0, 4), "\177ELF");
  ASSERT_EQ(cubin->usage.size(), 1U);
  EXPECT_EQ(cubin->usage[0].entry, "trivial");
  EXPECT_GT(cubin->usage[0].registers, 0);
  EXPECT_GT(cubin->compile_us, 0);
  EXPECT_TRUE(CheckClean(*cubin).ok());
}

TEST_F(NvrtcCompilerTest, ReportsStaticSharedMemory) {
  const auto cubin = Compile(
      R"(extern "C" __global__ void k(float* p) { __shared__ float s[64]; s[threadIdx.x] = p[threadIdx.x];
         __syncthreads(); p[threadIdx.x] = s[63 - threadIdx.x]; })");
  ASSERT_TRUE(cubin.ok()) << cubin.status();
  EXPECT_EQ(cubin->usage.at(0).static_shared_bytes, 256);
}

TEST_F(NvrtcCompilerTest, IncludesGivenHeadersThatIncludeOthers) {
  const auto cubin = Compile(
      "#include \"first/scale.cuh\"\n"
      "extern \"C\" __global__ void k(float* p) { *p = Scale(*p); }");
  EXPECT_TRUE(cubin.ok()) << cubin.status();
}

TEST_F(NvrtcCompilerTest, TheErrorHasTheLog) {
  const absl::Status status = Compile("extern \"C\" __global__ void k() { undeclared = 1; }").status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("identifier \"undeclared\" is undefined"));
}

TEST_F(NvrtcCompilerTest, AnUnknownHeaderIsAnErrorThatNamesIt) {
  const absl::Status status = Compile("#include \"no/such.cuh\"").status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("no/such.cuh"));
}

TEST_F(NvrtcCompilerTest, AnUnknownOptionIsAnErrorThatNamesIt) {
  const absl::Status status =
      compiler_->Compile({kTrivialKernel, {9, 0, true}, {"--no-such-option"}}, absl::InfiniteFuture()).status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("no-such-option"));
}

TEST_F(NvrtcCompilerTest, WarningsAreKeptInTheLog) {
  const auto cubin = Compile("extern \"C\" __global__ void k() { int unused_one; }");
  ASSERT_TRUE(cubin.ok()) << cubin.status();
  EXPECT_THAT(cubin->log, HasSubstr("unused_one"));
}

TEST_F(NvrtcCompilerTest, ASpillIsReportedAndNotServable) {
  const auto cubin = Compile(R"(extern "C" __global__ void __maxnreg__(24) k(float* p) {
    float a[40];
    for (int i = 0; i < 40; i++) a[i] = p[i * threadIdx.x];
    __syncthreads();
    for (int j = 0; j < p[3]; j++) for (int i = 0; i < 40; i++) a[i] *= a[(i * 7 + 3) % 40];
    for (int i = 0; i < 40; i++) p[i * threadIdx.x + 1] = a[i];
  })");
  ASSERT_TRUE(cubin.ok()) << cubin.status();
  EXPECT_GT(cubin->usage.at(0).spill_store_bytes, 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckClean(*cubin)));
}

TEST_F(NvrtcCompilerTest, AnIgnoredSetmaxnregIsNotServable) {
  const auto cubin =
      Compile(R"(extern "C" __global__ void k() { asm volatile("setmaxnreg.dec.sync.aligned.u32 24;"); })");
  ASSERT_TRUE(cubin.ok()) << cubin.status();
  EXPECT_THAT(std::string(MessageOf(CheckClean(*cubin))), HasSubstr("C7508"));
}

TEST_F(NvrtcCompilerTest, AnArchItDoesNotKnowIsUnimplemented) {
  for (const Arch arch : {Arch{9, 9, false}, Arch{2, 0, false}, Arch{8, 0, true}}) {
    EXPECT_TRUE(absl::IsUnimplemented(Compile(kTrivialKernel, arch).status())) << Name(arch);
  }
}

TEST_F(NvrtcCompilerTest, OptionsThatMakeNoMachineCodeAreAnError) {
  const auto cubin = compiler_->Compile(
      {kTrivialKernel, {9, 0, true}, {"--relocatable-device-code=true", "--dlink-time-opt"}}, absl::InfiniteFuture());
  EXPECT_FALSE(cubin.ok());
}

TEST_F(NvrtcCompilerTest, EightCompileAtOnce) {
  std::atomic<int> made = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([this, &made] {
        if (Compile(kTrivialKernel).ok()) ++made;
      });
    }
  }
  EXPECT_EQ(made, 8);
}

TEST_F(NvrtcCompilerTest, ADeadlineInThePastCompilesNothing) {
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      compiler_->Compile({kTrivialKernel, {9, 0, true}, {}}, absl::Now() - absl::Seconds(1)).status()));
}

TEST_F(NvrtcCompilerTest, EveryArchOfTheTableCompiles) {
  for (const char* name : {"sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100a", "sm_120a"}) {
    const auto cubin = Compile(kTrivialKernel, ArchFromName(name).value());
    EXPECT_TRUE(cubin.ok()) << name << ": " << cubin.status();
  }
}

TEST_F(NvrtcCompilerTest, TheSameSourceMakesTheSameImage) {
  EXPECT_EQ(Compile(kTrivialKernel).value().image, Compile(kTrivialKernel).value().image);
}

}  // namespace
}  // namespace gemmd
