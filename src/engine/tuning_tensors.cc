#include "engine/tuning_tensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <utility>

#include "base/status.h"
#include "runtime/host_tensor.h"

namespace gemmd {
namespace {

// Random elements of which a tensor is a repetition: a prime, so that no two lines of it are the same.
constexpr std::size_t kPatternElements = 1'048'573;
constexpr std::int64_t kChunkBytes = std::int64_t{4} << 20;
constexpr float kScalar = 0.75f;
constexpr int kAccumulatorBits = 24;  // of f32
constexpr int kMostFactorBits = 7;    // bf16 has one more
constexpr double kTf32Roundoff = 0x1p-11;
constexpr int kFlushTimes = 4;  // L2's size

// Elements of A and B are whole numbers from -2^bits to 2^bits, times 2^-scale.
struct FactorRange {
  int bits = 0;
  int scale_a = 0, scale_b = 0;
};

FactorRange FactorsFor(std::int64_t k) {
  FactorRange range;
  const int k_bits = std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(k, 1) - 1));
  range.bits = std::clamp((kAccumulatorBits - k_bits) / 2, 0, kMostFactorBits);
  // The root of the mean square of a sum of K products of such numbers is 2^total.
  const int total = static_cast<int>(std::lround(2 * range.bits + 0.5 * k_bits - std::log2(3.0)));
  range.scale_a = total / 2;
  range.scale_b = total - range.scale_a;
  return range;
}

std::vector<float> RandomFactor(std::size_t elements, int bits, int scale, std::minstd_rand& random) {
  std::uniform_int_distribution<int> number(-(1 << bits), 1 << bits);
  std::vector<float> values(elements);
  for (float& value : values) value = std::ldexp(static_cast<float>(number(random)), -scale);
  return values;
}

std::vector<float> RandomOperand(std::size_t elements, std::minstd_rand& random) {
  std::uniform_int_distribution<int> number(16, 64);
  std::vector<float> values(elements);
  for (float& value : values) value = static_cast<float>((random() & 64) != 0 ? number(random) : -number(random)) / 64;
  return values;
}

bool Compares(OpKind kind) {
  constexpr OpKind kKinds[] = {OpKind::kEq, OpKind::kNe,    OpKind::kLt,    OpKind::kLe,       OpKind::kGt,
                               OpKind::kGe, OpKind::kWhere, OpKind::kDRelu, OpKind::kRowArgmax};
  return std::ranges::find(kKinds, kind) != std::end(kKinds);
}

// Of the types that the values of an output are rounded to on their way, the coarsest's.
double RoundoffOf(const Graph& graph, DType output) {
  constexpr double kLeast = 0x1p-13;  // what a chain of f32 rounds, with room for many operations
  double roundoff = output == DType::kI32 ? kLeast : std::max(kLeast, UnitRoundoff(output));
  for (const auto* chain : graph.Chains()) {
    for (const Node& node : *chain) {
      if (node.kind == OpKind::kCast) roundoff = std::max(roundoff, UnitRoundoff(node.dtype));
    }
  }
  if (!graph.prologue_a.empty() || !graph.prologue_b.empty()) {
    // What a prologue makes is rounded to what is multiplied.
    roundoff = std::max(roundoff, graph.precision == Precision::kTf32
                                      ? kTf32Roundoff
                                      : UnitRoundoff(graph.inputs[static_cast<std::size_t>(graph.a)].dtype));
  }
  return roundoff;
}

std::vector<float> ElementsOf(DType dtype, std::span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / static_cast<std::size_t>(SizeBytes(dtype)));
  if (dtype != DType::kI32) {
    LoadElements(dtype, bytes.data(), values);
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int32_t value = 0;
    std::memcpy(&value, bytes.data() + 4 * i, sizeof(value));
    values[i] = static_cast<float>(value);
  }
  return values;
}

double MeanSquareRoot(const std::vector<float>& values) {
  double squares = 0;
  std::size_t finite = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    squares += static_cast<double>(value) * value;
    ++finite;
  }
  return finite == 0 ? 0 : std::sqrt(squares / static_cast<double>(finite));
}

bool Agree(float got, float expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return std::abs(static_cast<double>(got) - expected) <= tolerance;
}

}  // namespace

absl::StatusOr<TuningTensors> TuningTensors::Make(const std::shared_ptr<Device>& device, const Graph& graph,
                                                  const LaunchSignature& signature, absl::Time deadline) {
  TuningTensors tensors(device, graph, signature);
  for (const SignatureTensor& input : signature.inputs) {
    std::optional<ScopedBuffer>& buffer = tensors.inputs_.emplace_back();
    if (IsScalar(input)) continue;
    GEMMD_ASSIGN_OR_RETURN(buffer, ScopedBuffer::Allocate(device, input.bytes, deadline));
    GEMMD_RETURN_IF_ERROR(tensors.FillInput(tensors.inputs_.size() - 1, deadline));
  }
  for (const SignatureTensor& output : signature.outputs) {
    for (std::vector<ScopedBuffer>* set : {&tensors.reference_, &tensors.candidate_}) {
      GEMMD_ASSIGN_OR_RETURN(ScopedBuffer buffer, ScopedBuffer::Allocate(device, output.bytes, deadline));
      set->push_back(std::move(buffer));
    }
  }
  if (device->info().limits.l2_bytes > 0) {
    const std::int64_t flush_bytes = kFlushTimes * device->info().limits.l2_bytes;
    GEMMD_ASSIGN_OR_RETURN(tensors.flush_, ScopedBuffer::Allocate(device, flush_bytes, deadline));
  }
  return tensors;
}

absl::Status TuningTensors::FillInput(std::size_t index, absl::Time deadline) {
  const SignatureTensor& tensor = signature_.inputs[index];
  const auto element_bytes = static_cast<std::size_t>(SizeBytes(tensor.dtype));
  const std::size_t elements = std::min(kPatternElements, static_cast<std::size_t>(tensor.bytes) / element_bytes);
  std::minstd_rand random(static_cast<unsigned>(index) + 1);
  const bool is_a = static_cast<int>(index) == graph_.a;
  const bool is_factor = is_a || static_cast<int>(index) == graph_.b;
  const FactorRange range = FactorsFor(signature_.shape.k);
  const std::vector<float> values =
      is_factor ? RandomFactor(elements, range.bits, is_a ? range.scale_a : range.scale_b, random)
                : RandomOperand(elements, random);
  std::vector<std::byte> pattern(elements * element_bytes);
  StoreElements(tensor.dtype, values, pattern.data());
  for (std::int64_t offset = 0; offset < tensor.bytes;) {
    const std::int64_t bytes = std::min(tensor.bytes - offset, static_cast<std::int64_t>(pattern.size()));
    const std::span<const std::byte> piece(pattern.data(), static_cast<std::size_t>(bytes));
    GEMMD_RETURN_IF_ERROR(device_->Write(inputs_[index]->id(), offset, piece, deadline));
    offset += bytes;
  }
  return absl::OkStatus();
}

LaunchRequest TuningTensors::RequestFor(LoadedKernelId kernel, Outputs outputs, bool flush) const {
  LaunchRequest request;
  request.kernel = kernel;
  request.shape = signature_.shape;
  for (const std::optional<ScopedBuffer>& input : inputs_) {
    request.inputs.push_back({input ? input->id() : BufferId{}});
    request.scalars.push_back(input ? 0 : kScalar);
  }
  for (const ScopedBuffer& output : outputs == Outputs::kReference ? reference_ : candidate_) {
    request.outputs.push_back({output.id()});
  }
  if (flush && flush_) request.flush = flush_->id();
  return request;
}

absl::Status TuningTensors::Poison(Outputs outputs, absl::Time deadline) const {
  const bool is_reference = outputs == Outputs::kReference;
  const std::vector<std::byte> poison(kChunkBytes, is_reference ? std::byte{0xff} : std::byte{0x7b});
  for (const ScopedBuffer& output : is_reference ? reference_ : candidate_) {
    for (std::int64_t offset = 0; offset < output.bytes(); offset += kChunkBytes) {
      const auto bytes = static_cast<std::size_t>(std::min(kChunkBytes, output.bytes() - offset));
      GEMMD_RETURN_IF_ERROR(device_->Write(output.id(), offset, std::span(poison).first(bytes), deadline));
    }
  }
  return absl::OkStatus();
}

absl::Status TuningTensors::CompareOutput(std::size_t index, absl::Time deadline) const {
  const SignatureTensor& tensor = signature_.outputs[index];
  const double roundoff = 4 * RoundoffOf(graph_, tensor.dtype);
  std::int64_t elements = 0, wrong = 0;
  std::string worst;
  double worst_excess = 0;
  std::vector<std::byte> bytes(kChunkBytes);
  for (std::int64_t offset = 0; offset < tensor.bytes; offset += kChunkBytes) {
    const auto chunk = std::span(bytes).first(static_cast<std::size_t>(std::min(kChunkBytes, tensor.bytes - offset)));
    GEMMD_RETURN_IF_ERROR(device_->Read(reference_[index].id(), offset, chunk, deadline));
    const std::vector<float> expected = ElementsOf(tensor.dtype, chunk);
    GEMMD_RETURN_IF_ERROR(device_->Read(candidate_[index].id(), offset, chunk, deadline));
    const std::vector<float> got = ElementsOf(tensor.dtype, chunk);
    const double scale = MeanSquareRoot(expected);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double tolerance = roundoff * (std::abs(static_cast<double>(expected[i])) + scale);
      if (Agree(got[i], expected[i], tolerance)) continue;
      ++wrong;
      const double difference = std::abs(static_cast<double>(got[i]) - expected[i]);
      const double excess = std::isfinite(difference) ? difference / tolerance : HUGE_VAL;
      if (!worst.empty() && excess <= worst_excess) continue;
      worst_excess = excess;
      worst = fmt::format("element {} is {}, expected {} within {:.3g}", elements + static_cast<std::int64_t>(i),
                          got[i], expected[i], tolerance);
    }
    elements += static_cast<std::int64_t>(got.size());
  }
  bool compares = false;
  for (const auto* chain : graph_.Chains()) {
    compares = compares || std::ranges::any_of(*chain, [](const Node& node) { return Compares(node.kind); });
  }
  if (wrong <= (compares ? elements / 1000 : 0)) return absl::OkStatus();
  return DataLoss("{}: {} of {} elements are not what the portable kernel computes; {}", tensor.name, wrong, elements,
                  worst);
}

absl::Status TuningTensors::Compare(absl::Time deadline) const {
  for (std::size_t index = 0; index < signature_.outputs.size(); ++index) {
    GEMMD_RETURN_IF_ERROR(CompareOutput(index, deadline));
  }
  return absl::OkStatus();
}

}  // namespace gemmd
