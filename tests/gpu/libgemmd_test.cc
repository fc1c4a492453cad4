// Launches through libgemmd's C ABI: on a stream, in a CUDA graph, from several threads; against fp64.
#include <cuda.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "client/verify/verify.h"
#include "cuda/context.h"
#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "spec/validate.h"
#include "tests/gpu/device_run.h"
#include "tests/unit/libgemmd/abi_fixture.h"

namespace gemmd {
namespace {

using ::testing::HasSubstr;

// Two outputs, and an operand of every spread; M is dynamic.
std::string SpecOf(int k, const std::string& config) {
  return fmt::format(R"({{"version": 1, "dims": {{"M": "dynamic", "K": {}, "N": 384}}, "config": {},)", k, config) + R"(
  "inputs": {"x": {"dtype": "bf16", "shape": ["M", "K"]}, "w": {"dtype": "bf16", "shape": ["K", "N"]},
             "alpha": {"dtype": "f32", "shape": []}, "bias": {"dtype": "bf16", "shape": ["N"]},
             "gain": {"dtype": "f32", "shape": ["M"]}, "residual": {"dtype": "bf16", "shape": ["M", "N"]}},
  "matmul": {"a": "x", "b": "w"},
  "epilogue": [{"op": "mul", "operand": "alpha"}, {"op": "add", "operand": "bias"}, {"op": "mul", "operand": "gain"},
               {"op": "store", "output": "aux", "dtype": "f32"}, {"op": "gelu"}, {"op": "add", "operand": "residual"},
               {"op": "store", "output": "out", "dtype": "bf16"}]})";
}
constexpr float kAlpha = 0.75f;

// Dies on an error: without it the test means nothing.
template <typename Value>
Value Must(absl::StatusOr<Value> value) {
  EXPECT_TRUE(value.ok()) << value.status();
  return *std::move(value);
}

// The driver's entries that only tests need.
struct GraphEntries {
  explicit GraphEntries(void* library) {
    *reinterpret_cast<void**>(&begin_capture) = dlsym(library, "cuStreamBeginCapture_v2");
    *reinterpret_cast<void**>(&end_capture) = dlsym(library, "cuStreamEndCapture");
    *reinterpret_cast<void**>(&instantiate) = dlsym(library, "cuGraphInstantiateWithFlags");
    *reinterpret_cast<void**>(&launch) = dlsym(library, "cuGraphLaunch");
    *reinterpret_cast<void**>(&memory_info) = dlsym(library, "cuMemGetInfo_v2");
  }
  CUresult (*begin_capture)(CUstream, CUstreamCaptureMode) = nullptr;
  CUresult (*end_capture)(CUstream, CUgraph*) = nullptr;
  CUresult (*instantiate)(CUgraphExec*, CUgraph, unsigned long long) = nullptr;
  CUresult (*launch)(CUgraphExec, CUstream) = nullptr;
  CUresult (*memory_info)(std::size_t*, std::size_t*) = nullptr;
};

// One launch: its tensors in host and device memory, each input `offset_bytes` behind the start of its own.
class Problem {
 public:
  Problem(const Driver& driver, const std::string& spec, const gemmd_kernel* kernel, std::int64_t m,
          std::int64_t offset_bytes = 0)
      : spec_(SpecFromText(spec)),
        kernel_(kernel),
        m_(m),
        offset_bytes_(offset_bytes),
        stream_(Must(MakeStream(driver))) {
    FillInputs(1);
    for (std::size_t i = 0; i < gemmd_kernel_input_count(kernel); ++i) {
      const std::string name = gemmd_kernel_input_name(kernel, i);
      gemmd_tensor tensor{};
      tensor.scalar = kAlpha;
      if (name != "alpha") tensor.data = Allocate(driver, inputs_.at(name).bytes.size());
      input_arguments_.push_back(tensor);
    }
    for (std::size_t i = 0; i < gemmd_kernel_output_count(kernel); ++i) {
      const std::string name = gemmd_kernel_output_name(kernel, i);
      outputs_[name] = MakeTensor(name == "aux" ? DType::kF32 : DType::kBf16, {m, 384});
      gemmd_tensor tensor{};
      tensor.data = Allocate(driver, outputs_.at(name).bytes.size());
      output_arguments_.push_back(tensor);
    }
    char* error = nullptr;
    std::int64_t bytes = 0;
    EXPECT_EQ(gemmd_kernel_workspace_bytes(kernel, shape(), &bytes, &error), GEMMD_OK) << error;
    arguments_ = {.shape = shape(),
                  .inputs = input_arguments_.data(),
                  .input_count = input_arguments_.size(),
                  .outputs = output_arguments_.data(),
                  .output_count = output_arguments_.size(),
                  .workspace = bytes == 0 ? nullptr : Allocate(driver, static_cast<std::size_t>(bytes), 0),
                  .workspace_bytes = bytes};
  }

  CUstream stream() const { return stream_.get(); }

  // Other data in the same place; outputs become NaN.
  void FillInputs(std::uint64_t seed) {
    for (const auto& [name, tensor] : spec_.inputs) {
      if (name != "alpha") inputs_[name] = Must(RandomInput(spec_, name, {{"M", m_}}, seed + inputs_.size()));
    }
  }
  void Send() {
    for (std::size_t i = 0; i < input_arguments_.size(); ++i) {
      const auto tensor = inputs_.find(gemmd_kernel_input_name(kernel_, i));
      if (tensor == inputs_.end()) continue;
      ASSERT_TRUE(CopyToDevice(stream_, Address(input_arguments_[i]), tensor->second.bytes).ok());
    }
    for (std::size_t i = 0; i < output_arguments_.size(); ++i) {
      Tensor& tensor = outputs_.at(gemmd_kernel_output_name(kernel_, i));
      Poison(tensor);
      ASSERT_TRUE(CopyToDevice(stream_, Address(output_arguments_[i]), tensor.bytes).ok());
    }
    ASSERT_TRUE(Synchronize(stream_).ok());
  }

  AbiResult Launch() const { return Launch(arguments_.workspace_bytes); }
  // With less of the workspace than there is.
  AbiResult Launch(std::int64_t workspace_bytes) const {
    gemmd_launch_arguments arguments = arguments_;
    arguments.workspace_bytes = workspace_bytes;
    char* error = nullptr;
    return Taken(gemmd_launch(kernel_, &arguments, stream_.get(), &error), &error);
  }
  std::int64_t workspace_bytes() const { return arguments_.workspace_bytes; }

  // Waits for the stream and compares every row.
  void ExpectRight() {
    ASSERT_TRUE(Synchronize(stream_).ok());
    VerifySubject subject{.inputs = {}, .scalars = {{"alpha", kAlpha}}, .outputs = {}};
    for (const auto& [name, tensor] : inputs_) subject.inputs[name] = tensor.view();
    for (std::size_t i = 0; i < output_arguments_.size(); ++i) {
      Tensor& tensor = outputs_.at(gemmd_kernel_output_name(kernel_, i));
      ASSERT_TRUE(CopyToHost(stream_, tensor.bytes, Address(output_arguments_[i])).ok());
      subject.outputs[gemmd_kernel_output_name(kernel_, i)] = tensor.view();
    }
    ASSERT_TRUE(Synchronize(stream_).ok());
    const VerifyReport report = Must(Verify(spec_, subject, {.rows = m_}));
    EXPECT_TRUE(report.verified) << "M = " << m_ << ": " << report.mismatches << " elements of " << report.worst.output
                                 << " and others, worst " << report.worst.got << ", expected " << report.worst.expected;
  }

 private:
  static CUdeviceptr Address(const gemmd_tensor& tensor) { return reinterpret_cast<CUdeviceptr>(tensor.data); }

  gemmd_shape shape() const { return {m_, GEMMD_OF_SPEC, GEMMD_OF_SPEC}; }

  void* Allocate(const Driver& driver, std::size_t bytes) { return Allocate(driver, bytes, offset_bytes_); }
  void* Allocate(const Driver& driver, std::size_t bytes, std::int64_t offset_bytes) {
    memory_.push_back(Must(AllocateDeviceMemory(driver, static_cast<std::int64_t>(bytes) + offset_bytes + 1)));
    return reinterpret_cast<void*>(memory_.back().get() + static_cast<CUdeviceptr>(offset_bytes));
  }

  const KernelSpec spec_;
  const gemmd_kernel* kernel_;
  const std::int64_t m_, offset_bytes_;
  Stream stream_;
  std::map<std::string, Tensor> inputs_, outputs_;
  std::vector<DeviceMemory> memory_;
  std::vector<gemmd_tensor> input_arguments_, output_arguments_;
  gemmd_launch_arguments arguments_{};
};

class LibgemmdGpuTest : public AbiTest {
 protected:
  void SetUp() override {
    absl::StatusOr<Driver> driver = Driver::Create();
    if (!driver.ok()) GTEST_SKIP() << "skipped, no GPU: " << driver.status();
    absl::StatusOr<PrimaryContext> context = PrimaryContext::Retain(*driver, 0);
    if (absl::IsNotFound(context.status())) GTEST_SKIP() << "skipped, no GPU: " << context.status();
    driver_ = std::make_unique<Driver>(*driver);
    context_ = std::make_unique<PrimaryContext>(Must(std::move(context)));
    ASSERT_TRUE(context_->MakeCurrent().ok());
    AbiTest::SetUp();
    const AbiResult result = Compile(spec_, OptionsFor(nullptr));
    ASSERT_EQ(result.code, GEMMD_OK) << result.text;
  }
  void TearDown() override { kernel_.reset(); }  // before its context

  std::string spec_ = SpecOf(256, "{}");
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<PrimaryContext> context_;
};

TEST_F(LibgemmdGpuTest, LaunchesForEveryM) {
  for (const std::int64_t m : {1, 7, 64, 300, 1000, 5000}) {
    Problem problem(*driver_, spec_, kernel_.get(), m);
    problem.Send();
    const AbiResult launched = problem.Launch();
    ASSERT_EQ(launched.code, GEMMD_OK) << launched.text;
    problem.ExpectRight();
  }
}

TEST_F(LibgemmdGpuTest, MIsZeroLaunchesNothing) {
  const Problem problem(*driver_, spec_, kernel_.get(), 0);
  EXPECT_EQ(problem.Launch().code, GEMMD_OK);
}

TEST_F(LibgemmdGpuTest, IsCapturedInAGraph) {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW);
  ASSERT_NE(library, nullptr);
  const GraphEntries graphs(library);
  Problem problem(*driver_, spec_, kernel_.get(), 300);
  ASSERT_EQ(graphs.begin_capture(problem.stream(), CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  const AbiResult launched = problem.Launch();
  CUgraph graph = nullptr;
  ASSERT_EQ(graphs.end_capture(problem.stream(), &graph), CUDA_SUCCESS);
  ASSERT_EQ(launched.code, GEMMD_OK) << launched.text;
  CUgraphExec executable = nullptr;
  ASSERT_EQ(graphs.instantiate(&executable, graph, 0), CUDA_SUCCESS);
  for (const std::uint64_t seed : {10, 20}) {
    problem.FillInputs(seed);
    problem.Send();
    ASSERT_EQ(graphs.launch(executable, problem.stream()), CUDA_SUCCESS);
    problem.ExpectRight();
  }
}

TEST_F(LibgemmdGpuTest, LaunchesFromThreadsThatHaveNoContext) {
  constexpr int kThreads = 8, kLaunches = 50;
  std::vector<std::unique_ptr<Problem>> problems;
  for (int i = 0; i < kThreads; ++i) {
    problems.push_back(std::make_unique<Problem>(*driver_, spec_, kernel_.get(), 1 + 97 * i));
    problems.back()->Send();
  }
  std::vector<AbiResult> results(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int launch = 0; launch < kLaunches && results[i].code == GEMMD_OK; ++launch) {
        results[i] = problems[i]->Launch();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kThreads; ++i) {
    ASSERT_EQ(results[i].code, GEMMD_OK) << results[i].text;
    problems[i]->ExpectRight();
  }
}

TEST_F(LibgemmdGpuTest, TakesNoDeviceMemory) {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW);
  ASSERT_NE(library, nullptr);
  const GraphEntries entries(library);
  Problem problem(*driver_, spec_, kernel_.get(), 300);
  problem.Send();
  ASSERT_EQ(problem.Launch().code, GEMMD_OK);
  problem.ExpectRight();
  std::size_t before = 0, after = 0, total = 0;
  ASSERT_EQ(entries.memory_info(&before, &total), CUDA_SUCCESS);
  for (int launch = 0; launch < 200; ++launch) ASSERT_EQ(problem.Launch().code, GEMMD_OK);
  problem.ExpectRight();
  ASSERT_EQ(entries.memory_info(&after, &total), CUDA_SUCCESS);
  EXPECT_EQ(before, after);
}

TEST_F(LibgemmdGpuTest, LoadsWhatWasCompiledElsewhere) {
  std::vector<gemmd_cubin> cubins;
  for (std::size_t i = 0; i < gemmd_kernel_cubin_count(kernel_.get()); ++i) {
    cubins.push_back(gemmd_kernel_cubin(kernel_.get(), i));
  }
  gemmd_kernel* loaded = nullptr;
  char* error = nullptr;
  const AbiResult result =
      Taken(gemmd_load(gemmd_kernel_manifest(kernel_.get()), cubins.data(), cubins.size(), &loaded, &error), &error);
  ASSERT_EQ(result.code, GEMMD_OK) << result.text;
  kernel_.reset(loaded);
  EXPECT_EQ(gemmd_kernel_report(kernel_.get()), nullptr);
  Problem problem(*driver_, spec_, kernel_.get(), 300);
  problem.Send();
  ASSERT_EQ(problem.Launch().code, GEMMD_OK);
  problem.ExpectRight();
}

// Rows of x that do not start on 16 bytes are packed for the copy engine first, into the workspace.
TEST_F(LibgemmdGpuTest, PutsWhatIsBetweenKernelsIntoTheWorkspace) {
  spec_ = SpecOf(250, R"({"schedule": "wgmma"})");
  const AbiResult compiled = Compile(spec_, OptionsFor(nullptr));
  if (compiled.code == GEMMD_INVALID_ARGUMENT) GTEST_SKIP() << "skipped, no Hopper: " << compiled.text;
  ASSERT_EQ(compiled.code, GEMMD_OK) << compiled.text;
  Problem problem(*driver_, spec_, kernel_.get(), 300);
  ASSERT_GE(problem.workspace_bytes(), 300 * 250 * 2);
  problem.Send();
  const AbiResult refused = problem.Launch(problem.workspace_bytes() - 1);
  EXPECT_EQ(refused.code, GEMMD_INVALID_ARGUMENT);
  EXPECT_THAT(refused.text, HasSubstr("workspace: "));
  const AbiResult launched = problem.Launch();
  ASSERT_EQ(launched.code, GEMMD_OK) << launched.text;
  problem.ExpectRight();
}

TEST_F(LibgemmdGpuTest, HoldsWhatWasPromisedOfAlignment) {
  constexpr std::int64_t kOffsetBytes = 4;
  Problem refused(*driver_, spec_, kernel_.get(), 65, kOffsetBytes);
  const AbiResult result = refused.Launch();
  EXPECT_EQ(result.code, GEMMD_INVALID_ARGUMENT);
  EXPECT_THAT(result.text, HasSubstr("input \"x\""));
  EXPECT_THAT(result.text, HasSubstr("16 bytes"));

  std::vector<gemmd_alignment> promises;
  for (const char* name : {"x", "w", "bias", "gain", "residual", "aux", "out"})
    promises.push_back({name, kOffsetBytes});
  gemmd_compile_options options = OptionsFor(nullptr);
  options.alignments = promises.data();
  options.alignment_count = promises.size();
  const AbiResult compiled = Compile(spec_, options);
  ASSERT_EQ(compiled.code, GEMMD_OK) << compiled.text;
  Problem unaligned(*driver_, spec_, kernel_.get(), 65, kOffsetBytes);
  unaligned.Send();
  const AbiResult launched = unaligned.Launch();
  ASSERT_EQ(launched.code, GEMMD_OK) << launched.text;
  unaligned.ExpectRight();
}

}  // namespace
}  // namespace gemmd
