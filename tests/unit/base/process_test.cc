#include "base/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"

namespace gemmd {
namespace {

absl::Time In(absl::Duration duration) { return absl::Now() + duration; }

ChildProcess::Options Shell(const std::string& script, std::vector<std::pair<int, int>> descriptors = {}) {
  return {"/bin/sh", {"-c", script}, std::move(descriptors)};
}

// What comes out of `fd` until its end.
std::string ReadAll(int fd) {
  std::string text;
  char buffer[256];
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

bool ReadableWithin(int fd, absl::Duration timeout) {
  pollfd event = {fd, POLLIN, 0};
  return poll(&event, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) == 1;
}

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    read = UniqueFd(fds[0]);
    write = UniqueFd(fds[1]);
  }
};

TEST(ChildProcessTest, TellsTheExitCode) {
  auto child = ChildProcess::Spawn(Shell("exit 3"));
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(Describe(child->Wait(In(absl::Seconds(10))).value()), "exited 3");
}

TEST(ChildProcessTest, NamesTheSignalThatKilledIt) {
  auto child = ChildProcess::Spawn(Shell("kill -SEGV $$"));
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(Describe(child->Wait(In(absl::Seconds(10))).value()), "killed by SIGSEGV");
}

TEST(ChildProcessTest, WaitEndsAtItsDeadline) {
  auto child = ChildProcess::Spawn({"/bin/sleep", {"60"}, {}});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(child->Wait(In(absl::Milliseconds(20))).status()));
}

TEST(ChildProcessTest, AMissingExecutableIsNotFoundAndNamed) {
  const auto child = ChildProcess::Spawn({"/nowhere/worker", {}, {}});
  EXPECT_TRUE(absl::IsNotFound(child.status()));
  EXPECT_THAT(std::string(MessageOf(child.status())), testing::HasSubstr("/nowhere/worker"));
}

TEST(ChildProcessTest, IsKilledAndReapedWithItsOwner) {
  pid_t pid = 0;
  {
    auto child = ChildProcess::Spawn({"/bin/sleep", {"60"}, {}});
    ASSERT_TRUE(child.ok()) << child.status();
    pid = child->pid();
    ASSERT_EQ(kill(pid, 0), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);  // a zombie would still answer
}

TEST(ChildProcessTest, GetsADescriptorAtItsNumber) {
  Pipe pipe;
  auto child = ChildProcess::Spawn(Shell("echo hello >&9", {{pipe.write.get(), 9}}));
  ASSERT_TRUE(child.ok()) << child.status();
  pipe.write.Reset();
  EXPECT_EQ(ReadAll(pipe.read.get()), "hello\n");
}

TEST(ChildProcessTest, KeepsADescriptorWhoseNumberIsItsOwn) {
  Pipe pipe;
  const int number = pipe.write.get();
  auto child = ChildProcess::Spawn(Shell(fmt::format("echo same > /proc/self/fd/{}", number), {{number, number}}));
  ASSERT_TRUE(child.ok()) << child.status();
  pipe.write.Reset();
  EXPECT_EQ(ReadAll(pipe.read.get()), "same\n");
}

TEST(ChildProcessTest, SwapsDescriptorsThatStandInEachOthersPlace) {
  Pipe first, second;
  const int a = first.write.get(), b = second.write.get();
  const std::string script = fmt::format("echo to-a > /proc/self/fd/{}; echo to-b > /proc/self/fd/{}", a, b);
  auto child = ChildProcess::Spawn(Shell(script, {{a, b}, {b, a}}));
  ASSERT_TRUE(child.ok()) << child.status();
  first.write.Reset();
  second.write.Reset();
  EXPECT_EQ(ReadAll(first.read.get()), "to-b\n");
  EXPECT_EQ(ReadAll(second.read.get()), "to-a\n");
}

TEST(ChildProcessTest, InheritsNoOtherDescriptor) {
  Pipe pipe, output;
  const UniqueFd leaky(open("/dev/null", O_RDONLY));  // not close-on-exec, as a careless library leaves it
  ASSERT_TRUE(leaky.valid());
  auto child = ChildProcess::Spawn({PROCESS_PROBE, {"list"}, {{output.write.get(), 20}}});
  ASSERT_TRUE(child.ok()) << child.status();
  output.write.Reset();
  EXPECT_EQ(ReadAll(output.read.get()), "20\n");
}

TEST(ChildProcessTest, StartsWithNoSignalBlocked) {
  sigset_t blocked, before;
  sigfillset(&blocked);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  auto child = ChildProcess::Spawn(Shell("kill -TERM $$; exit 0"));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(Describe(child->Wait(In(absl::Seconds(10))).value()), "killed by SIGTERM");
}

TEST(DieWithParentTest, AWorkerEndsWhenItsParentIsKilled) {
  auto sockets = MakeSocketPair();
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  auto parent = ChildProcess::Spawn({PROCESS_PROBE, {"parent"}, {{sockets->child.get(), 3}}});
  ASSERT_TRUE(parent.ok()) << parent.status();
  sockets->child.Reset();
  char byte = 0;
  ASSERT_EQ(read(sockets->parent.get(), &byte, 1), 1);
  parent->Kill(SIGKILL);
  ASSERT_TRUE(ReadableWithin(sockets->parent.get(), absl::Seconds(20)));
  EXPECT_EQ(read(sockets->parent.get(), &byte, 1), 0);  // nobody holds the other end
}

TEST(DieWithParentTest, AWorkerOutlivesTheThreadThatStartedIt) {
  auto sockets = MakeSocketPair();
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  ChildProcess worker;
  std::thread([&] {
    auto started = ChildProcess::Spawn({PROCESS_PROBE, {"worker"}, {{sockets->child.get(), 3}}});
    ASSERT_TRUE(started.ok()) << started.status();
    worker = *std::move(started);
    char byte = 0;
    ASSERT_EQ(read(sockets->parent.get(), &byte, 1), 1);
  }).join();
  sockets->child.Reset();
  EXPECT_FALSE(ReadableWithin(sockets->parent.get(), absl::Milliseconds(300)));
}

TEST(SharedMappingTest, TwoMappingsOfOneFileShareBytes) {
  auto fd = MakeSharedMemory("test", 4096);
  ASSERT_TRUE(fd.ok()) << fd.status();
  auto first = SharedMapping::Map(fd->get(), 4096);
  auto second = SharedMapping::Map(fd->get(), 4096);
  ASSERT_TRUE(first.ok() && second.ok());
  first->data()[4095] = std::byte{42};
  EXPECT_EQ(second->data()[4095], std::byte{42});
}

TEST(SharedMappingTest, RefusesMoreThanTheFileHas) {
  auto fd = MakeSharedMemory("test", 4096);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_TRUE(absl::IsInvalidArgument(SharedMapping::Map(fd->get(), 4097).status()));
}

TEST(SharedMappingTest, NoPeerCanShrinkTheFile) {
  auto fd = MakeSharedMemory("test", 4096);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(ftruncate(fd->get(), 0), -1);
}

TEST(ExecutableDirectoryTest, HoldsTheRunningProgram) {
  const auto directory = ExecutableDirectory();
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(*directory + "/base_process_probe", PROCESS_PROBE);
}

}  // namespace
}  // namespace gemmd
