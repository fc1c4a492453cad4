#include "compile/subprocess_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"
#include "nvrtc_fixture.h"
#include "tests/testing/sanitized.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

absl::Time In(absl::Duration duration) { return absl::Now() + duration; }

SubprocessCompiler::Options WithWorkers(int workers) {
  SubprocessCompiler::Options options;
  options.worker_executable = COMPILE_WORKER;
  options.nvrtc_directories = TestNvrtcDirectories();
  options.workers = workers;
  return options;
}

CompileRequest Request(const std::string& source) { return {source, {9, 0, true}, StandardOptions()}; }

// Takes the front end far longer than any test lasts: every level instantiates two more.
constexpr char kEndless[] = R"(
  template <int Depth, long Path> struct Tree {
    static constexpr long value = Tree<Depth - 1, 2 * Path>::value + Tree<Depth - 1, 2 * Path + 1>::value;
  };
  template <long Path> struct Tree<0, Path> { static constexpr long value = Path; };
  extern "C" __global__ void k(long* p) { *p = Tree<40, 1>::value; })";

// The children of this process, zombies too.
std::vector<pid_t> Children() {
  std::vector<pid_t> children;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) children.push_back(pid);
  }
  return children;
}

class SubprocessCompilerTest : public NvrtcTest {};

class MemoryLimitTest : public NvrtcTest {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "skipped: a sanitized worker has no memory limit";
    NvrtcTest::SetUp();
  }
};

TEST_F(SubprocessCompilerTest, CompilesAsNvrtcInProcessDoes) {
  const SubprocessCompiler compiler(WithWorkers(1));
  const auto cubin = compiler.Compile(Request(kTrivialKernel), In(absl::Seconds(60)));
  ASSERT_TRUE(cubin.ok()) << cubin.status();
  EXPECT_EQ(cubin->image.substr(0, 4), "\177ELF");
  EXPECT_EQ(cubin->usage.at(0).entry, "trivial");
  EXPECT_EQ(compiler.Identity().value(), library_->identity);
}

TEST_F(SubprocessCompilerTest, HasTheDeviceLibrary) {
  const SubprocessCompiler compiler(WithWorkers(1));
  const auto cubin = compiler.Compile(Request(std::string("#include \"schedule/simt.cuh\"\n") + kTrivialKernel),
                                      In(absl::Seconds(60)));
  EXPECT_TRUE(cubin.ok()) << cubin.status();
}

TEST_F(SubprocessCompilerTest, TheErrorHasTheLog) {
  const SubprocessCompiler compiler(WithWorkers(1));
  const absl::Status status = compiler.Compile(Request("nonsense"), In(absl::Seconds(60))).status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("nonsense"));
}

TEST_F(SubprocessCompilerTest, TheDeadlineKillsTheWorkerAndTheNextCompileWorks) {
  const SubprocessCompiler compiler(WithWorkers(1));
  ASSERT_TRUE(compiler.Prewarm(In(absl::Seconds(60))).ok());
  const std::vector<pid_t> before = Children();
  ASSERT_EQ(before.size(), 1U);
  const absl::Time start = absl::Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(compiler.Compile(Request(kEndless), In(absl::Milliseconds(300))).status()));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_EQ(kill(before[0], 0), -1);
  EXPECT_TRUE(compiler.Compile(Request(kTrivialKernel), In(absl::Seconds(60))).ok());
}

TEST_F(SubprocessCompilerTest, AWorkerKilledInACompileIsReplaced) {
  const SubprocessCompiler compiler(WithWorkers(1));
  ASSERT_TRUE(compiler.Prewarm(In(absl::Seconds(60))).ok());
  std::jthread killer([pid = Children().at(0)] {
    absl::SleepFor(absl::Milliseconds(200));
    kill(pid, SIGKILL);
  });
  const absl::Status status = compiler.Compile(Request(kEndless), In(absl::Seconds(60))).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("killed by SIGKILL"));
  EXPECT_TRUE(compiler.Compile(Request(kTrivialKernel), In(absl::Seconds(60))).ok());
}

TEST_F(SubprocessCompilerTest, AWorkerKilledWhileIdleCostsNothing) {
  const SubprocessCompiler compiler(WithWorkers(1));
  ASSERT_TRUE(compiler.Prewarm(In(absl::Seconds(60))).ok());
  kill(Children().at(0), SIGKILL);
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_TRUE(compiler.Compile(Request(kTrivialKernel), In(absl::Seconds(60))).ok());
}

TEST_F(MemoryLimitTest, EndsTheWorkerAndNotTheService) {
  SubprocessCompiler::Options options = WithWorkers(1);
  options.memory_limit_bytes = std::int64_t{1} << 30;
  const SubprocessCompiler compiler(options);
  const absl::Status status = compiler.Compile(Request(kEndless), In(absl::Seconds(120))).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(compiler.Compile(Request(kTrivialKernel), In(absl::Seconds(60))).ok());
}

TEST_F(MemoryLimitTest, ARequestThatDoesNotFitIsResourceExhausted) {
  SubprocessCompiler::Options options = WithWorkers(1);
  options.memory_limit_bytes = std::int64_t{640} << 20;
  const SubprocessCompiler compiler(options);
  const std::string large = kTrivialKernel + std::string(std::size_t{200} << 20, ' ');
  const absl::Status status = compiler.Compile(Request(large), In(absl::Seconds(60))).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

TEST_F(SubprocessCompilerTest, EightCompileOverThreeWorkers) {
  const SubprocessCompiler compiler(WithWorkers(3));
  std::atomic<int> made = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        if (compiler.Compile(Request(kTrivialKernel), In(absl::Seconds(60))).ok()) ++made;
      });
    }
  }
  EXPECT_EQ(made, 8);
  EXPECT_LE(Children().size(), 3U);
}

TEST_F(SubprocessCompilerTest, ItsEndIsTheEndOfItsWorkers) {
  {
    const SubprocessCompiler compiler(WithWorkers(2));
    ASSERT_TRUE(compiler.Prewarm(In(absl::Seconds(60))).ok());
    EXPECT_EQ(Children().size(), 2U);
  }
  EXPECT_EQ(Children().size(), 0U);
}

TEST_F(SubprocessCompilerTest, WaitingForAWorkerEndsAtTheDeadline) {
  const SubprocessCompiler compiler(WithWorkers(1));
  ASSERT_TRUE(compiler.Prewarm(In(absl::Seconds(60))).ok());
  std::jthread busy([&] { (void)compiler.Compile(Request(kEndless), In(absl::Seconds(2))); });
  absl::SleepFor(absl::Milliseconds(300));
  const absl::Status status = compiler.Compile(Request(kTrivialKernel), In(absl::Milliseconds(100))).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("busy"));
}

TEST(SubprocessCompilerFailureTest, AWorkerWithoutNvrtcSaysSo) {
  SubprocessCompiler::Options options = WithWorkers(1);
  options.nvrtc_directories = {"/nowhere"};
  const SubprocessCompiler compiler(options);
  const absl::Status status = compiler.Identity().status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("/nowhere"));
  EXPECT_EQ(compiler.Compile(Request(kTrivialKernel), In(absl::Seconds(20))).status(), status);
}

TEST(SubprocessCompilerFailureTest, AMissingWorkerIsUnavailableAndNamed) {
  SubprocessCompiler::Options options = WithWorkers(1);
  options.worker_executable = "/nowhere/gemmd_compile_worker";
  const absl::Status status = SubprocessCompiler(options).Identity().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("/nowhere/gemmd_compile_worker"));
}

}  // namespace
}  // namespace gemmd
