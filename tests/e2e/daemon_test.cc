// The daemon as its C++ client sees it, faults included.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <set>
#include <thread>

#include "absl/time/clock.h"
#include "daemon_process.h"

namespace gemmd {
namespace {

constexpr char kSpec[] = R"({
  "version": 1, "name": "sum",
  "dims": {"M": "dynamic", "K": 3, "N": 2},
  "inputs": {"x": {"dtype": "f32", "shape": ["M", "K"]}, "w": {"dtype": "f32", "shape": ["K", "N"]},
             "bias": {"dtype": "f32", "shape": ["N"]}},
  "matmul": {"a": "x", "b": "w"},
  "epilogue": [{"op": "add", "operand": "bias"}, {"op": "store", "output": "out", "dtype": "f32"}]
})";

absl::Time Soon() { return absl::Now() + absl::Minutes(2); }

class DaemonTest : public testing::Test {
 protected:
  absl::StatusOr<RunReport> Run(std::vector<float>& out) {
    return daemon_.client().Run({.spec_json = kSpec,
                                 .device = "host",
                                 .dims = {{"M", 2}},
                                 .scalars = {},
                                 .inputs = {{"x", std::as_bytes(std::span(x_))},
                                            {"w", std::as_bytes(std::span(w_))},
                                            {"bias", std::as_bytes(std::span(bias_))}},
                                 .outputs = {{"out", std::as_writable_bytes(std::span(out))}}},
                                Soon());
  }

  const std::vector<float> x_ = {1, 2, 3, 4, 5, 6};
  const std::vector<float> w_ = {1, 10, 2, 20, 3, 30};
  const std::vector<float> bias_ = {0.5, -0.5};
  const std::vector<float> expected_ = {14.5, 139.5, 32.5, 319.5};
  DaemonProcess daemon_;
};

TEST_F(DaemonTest, RunsASpecAndStopsCleanly) {
  std::vector<float> out(4);
  const auto report = Run(out);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->device, "host");
  EXPECT_EQ(out, expected_);
  EXPECT_EQ(daemon_.Stop(), "exited 0");
}

TEST_F(DaemonTest, OutlivesItsDeviceWorker) {
  std::vector<float> out(4);
  ASSERT_TRUE(Run(out).ok());
  const std::vector<pid_t> workers = daemon_.Children("gemmd_device_worker");
  ASSERT_EQ(workers.size(), 1u);
  kill(workers.front(), SIGKILL);
  while (daemon_.Children("gemmd_device_worker") == workers) absl::SleepFor(absl::Milliseconds(5));
  std::vector<float> again(4);
  absl::StatusOr<RunReport> report = Run(again);
  if (absl::IsUnavailable(report.status())) report = Run(again);  // it fell between the fault and its discovery
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->compile.cache_tier, "memory");
  EXPECT_EQ(again, expected_);
}

TEST_F(DaemonTest, OutlivesItsCompileWorkers) {
  const auto compiled = daemon_.client().Compile(kSpec, {.device = "", .arch = "sm_80"}, Soon());
  if (absl::IsUnavailable(compiled.status())) GTEST_SKIP() << "skipped: " << compiled.status();
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const std::vector<pid_t> workers = daemon_.Children("gemmd_compile_worker");
  ASSERT_FALSE(workers.empty());
  for (const pid_t worker : workers) kill(worker, SIGKILL);
  absl::StatusOr<CompileReport> other = daemon_.client().Compile(kSpec, {.device = "", .arch = "sm_90"}, Soon());
  for (int i = 0; i < 4 && absl::IsUnavailable(other.status()); ++i) {
    other = daemon_.client().Compile(kSpec, {.device = "", .arch = "sm_90"}, Soon());
  }
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->cache_tier, "compiled");
}

TEST_F(DaemonTest, ServesManyCallersAtOnce) {
  std::atomic<int> right{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 32; ++i) {
    callers.emplace_back([&] {
      std::vector<float> out(4);
      right += Run(out).ok() && out == expected_ ? 1 : 0;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(right, 32);
}

}  // namespace
}  // namespace gemmd
