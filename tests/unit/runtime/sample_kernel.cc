#include "sample_kernel.h"

#include "base/status.h"

namespace gemmd {
namespace {

absl::StatusOr<BufferId> Ones(Device& device, std::int64_t elements) {
  const std::vector<float> values(static_cast<std::size_t>(elements), 1.0f);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  GEMMD_ASSIGN_OR_RETURN(const BufferId buffer, device.Allocate(elements * 4, deadline));
  GEMMD_RETURN_IF_ERROR(device.Write(buffer, 0, std::as_bytes(std::span(values)), deadline));
  return buffer;
}

absl::StatusOr<SampleLaunch> Prepare(Device& device, const KernelImage& image, GemmShape shape) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  SampleLaunch sample;
  GEMMD_ASSIGN_OR_RETURN(sample.request.kernel, device.Load(image, deadline));
  sample.request.shape = shape;
  for (const std::int64_t elements : {shape.m * shape.k, shape.k * shape.n, shape.n, shape.m * shape.n}) {
    GEMMD_ASSIGN_OR_RETURN(const BufferId buffer, Ones(device, elements));
    sample.request.inputs.push_back({buffer});
  }
  sample.request.inputs.push_back({});
  sample.request.scalars.assign(5, 0.0f);
  sample.output_elements = shape.m * shape.n;
  GEMMD_ASSIGN_OR_RETURN(sample.output, device.Allocate(sample.output_elements * 4, deadline));
  sample.request.outputs.push_back({sample.output});
  return sample;
}

}  // namespace

Graph SampleGraph() {
  Graph graph;
  graph.n = kSampleN;
  graph.k = kSampleK;
  graph.a = 0;
  graph.b = 1;
  graph.precision = Precision::kIeee;
  graph.inputs = {{DType::kF32, Layout::kRowMajor, {Axis::kM, Axis::kK}},
                  {DType::kF32, Layout::kRowMajor, {Axis::kK, Axis::kN}},
                  {DType::kF32, Layout::kRowMajor, {Axis::kN}},
                  {DType::kF32, Layout::kRowMajor, {Axis::kM, Axis::kN}},
                  {DType::kF32, Layout::kRowMajor, {}}};
  graph.outputs = {{DType::kF32}};
  Node bias;
  bias.kind = OpKind::kAdd;
  bias.operand = 2;
  bias.broadcast = Broadcast::kRow;
  Node residual = bias;
  residual.input = 1;
  residual.operand = 3;
  residual.broadcast = Broadcast::kFull;
  Node store;
  store.kind = OpKind::kStore;
  store.input = 2;
  store.output = 0;
  graph.epilogue = {bias, residual, store};
  return graph;
}

Manifest SampleManifest() {
  Manifest manifest;
  manifest.spec_id = "spec";
  manifest.plan_id = "plan";
  manifest.arch = {9, 0, true};
  manifest.n = kSampleN;
  manifest.k = kSampleK;
  manifest.inputs = {{"x", DType::kF32, Layout::kRowMajor, "M,K"},
                     {"w", DType::kF32, Layout::kRowMajor, "K,N"},
                     {"bias", DType::kF32, Layout::kRowMajor, "N"},
                     {"residual", DType::kF32, Layout::kRowMajor, "M,N"},
                     {"alpha", DType::kF32, Layout::kRowMajor, ""}};
  manifest.outputs = {{"out", DType::kF32, Layout::kRowMajor, "M,N"}};
  LaunchStep step;
  step.entry = "gemmd_kernel";
  step.grid = {64, 16};
  step.block = {256, 1, 1};
  step.params = {{ParamKind::kInputPointer, 0, 0}, {ParamKind::kInputPointer, 3, 8}, {ParamKind::kOutputPointer, 0, 16},
                 {ParamKind::kInputLd, 1, 24},     {ParamKind::kOutputLd, 0, 32},    {ParamKind::kM, 0, 40},
                 {ParamKind::kN, 0, 44},           {ParamKind::kK, 0, 48},           {ParamKind::kScalar, 4, 52}};
  step.param_bytes = 56;
  manifest.variants = {{0, INT64_MAX, {}, {step}}};
  return manifest;
}

KernelImage SampleImage() { return {SampleManifest(), SampleGraph(), {}}; }

absl::StatusOr<SampleLaunch> PrepareSample(Device& device, std::int64_t m) {
  return Prepare(device, SampleImage(), {m, kSampleN, kSampleK});
}

absl::StatusOr<SampleLaunch> PrepareLongLaunch(Device& device) {
  KernelImage image = SampleImage();
  image.manifest.n = image.manifest.k = std::nullopt;
  image.graph.n = image.graph.k = std::nullopt;
  return Prepare(device, image, {4096, 4096, 4096});
}

absl::StatusOr<std::vector<float>> ReadSample(Device& device, const SampleLaunch& sample) {
  std::vector<float> values(static_cast<std::size_t>(sample.output_elements));
  GEMMD_RETURN_IF_ERROR(
      device.Read(sample.output, 0, std::as_writable_bytes(std::span(values)), absl::Now() + absl::Seconds(30)));
  return values;
}

}  // namespace gemmd
