#include "engine/tuning_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "absl/time/clock.h"
#include "base/status.h"
#include "engine/compiled_spec.h"
#include "engine/loaded_kernels.h"
#include "plan/config_space.h"
#include "runtime/host_device.h"
#include "tests/unit/plan/sample_graph.h"

namespace gemmd {
namespace {

using testing::Each;
using testing::HasSubstr;
using Outputs = TuningTensors::Outputs;

absl::Time Soon() { return absl::Now() + absl::Minutes(2); }

// A plain product of 96 x 40 x 64, with a candidate that the host computes.
class TuningTensorsTest : public testing::Test {
 protected:
  void SetUp() override { Prepare(DType::kBf16); }

  void Prepare(DType dtype) {
    graph_ = ProductGraph(dtype, 96, 40, 64);
    signature_ = {.shape = {96, 40, 64},
                  .inputs = {{"x", dtype, Layout::kRowMajor, {96, 64}, 96 * 64 * SizeBytes(dtype)},
                             {"w", dtype, Layout::kRowMajor, {64, 40}, 64 * 40 * SizeBytes(dtype)}},
                  .outputs = {{"out", dtype, Layout::kRowMajor, {96, 40}, 96 * 40 * SizeBytes(dtype)}},
                  .scalars = {0, 0}};
    const Plan plan = PlanWith(graph_, PortableConfig(graph_), HopperLimits(), {});
    CompiledSpec compiled;
    compiled.planned.canonical.graph = graph_;
    compiled.planned.plan = plan;
    compiled.manifest = MakeManifest(graph_, plan, {""});
    const auto kernel = LoadKernel(device_, compiled, Soon());
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    kernel_ = *kernel;
    auto tensors = TuningTensors::Make(device_, graph_, signature_, Soon());
    ASSERT_TRUE(tensors.ok()) << tensors.status();
    tensors_.emplace(*std::move(tensors));
    for (const Outputs outputs : {Outputs::kReference, Outputs::kCandidate}) {
      ASSERT_TRUE(tensors_->Poison(outputs, Soon()).ok());
      ASSERT_TRUE(device_->Launch(tensors_->RequestFor(kernel_->id(), outputs, false), Soon()).ok());
    }
  }

  BufferId OutputOf(Outputs outputs) const {
    return tensors_->RequestFor(kernel_->id(), outputs, false).outputs[0].buffer;
  }
  std::vector<float> Reference() const {
    std::vector<float> values(96 * 40);
    EXPECT_TRUE(
        device_->Read(OutputOf(Outputs::kReference), 0, std::as_writable_bytes(std::span(values)), Soon()).ok());
    return values;
  }

  std::shared_ptr<Device> device_ = std::make_shared<HostDevice>();
  Graph graph_;
  LaunchSignature signature_;
  std::shared_ptr<const LoadedKernel> kernel_;
  std::optional<TuningTensors> tensors_;
};

TEST_F(TuningTensorsTest, AgreesWithWhatIsRight) { EXPECT_TRUE(tensors_->Compare(Soon()).ok()); }

TEST_F(TuningTensorsTest, SeesASingleWrongElement) {
  const std::vector<std::byte> wrong = {std::byte{0x00}, std::byte{0x41}};  // 8
  ASSERT_TRUE(device_->Write(OutputOf(Outputs::kCandidate), 2 * 777, wrong, Soon()).ok());
  const absl::Status status = tensors_->Compare(Soon());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("out: 1 of 3840 elements"));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("element 777 is 8"));
}

TEST_F(TuningTensorsTest, SeesWhatNeitherKernelWrote) {
  ASSERT_TRUE(tensors_->Poison(Outputs::kCandidate, Soon()).ok());
  EXPECT_FALSE(tensors_->Compare(Soon()).ok());
  ASSERT_TRUE(tensors_->Poison(Outputs::kReference, Soon()).ok());
  EXPECT_FALSE(tensors_->Compare(Soon()).ok());
}

TEST_F(TuningTensorsTest, MakesProductsThatAreExactAndAboutOne) {
  Prepare(DType::kF32);
  double squares = 0;
  for (const float value : Reference()) {
    // Whole multiples of one power of two, far from f32's last place.
    EXPECT_EQ(std::ldexp(value, 20), std::trunc(std::ldexp(value, 20)));
    squares += static_cast<double>(value) * value;
  }
  const double mean = std::sqrt(squares / (96 * 40));
  EXPECT_GT(mean, 0.5);
  EXPECT_LT(mean, 2);
}

}  // namespace
}  // namespace gemmd
