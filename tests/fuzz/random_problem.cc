#include "tests/fuzz/random_problem.h"

#include <algorithm>

#include "base/status.h"
#include "plan/config_space.h"
#include "spec/spec_json.h"
#include "spec/validate.h"
#include "tests/fuzz/problem_features.h"
#include "tests/fuzz/random_chain.h"
#include "tests/fuzz/random_shape.h"
#include "tests/fuzz/random_source.h"
#include "tests/fuzz/twin_problem.h"

namespace gemmd {
namespace {

constexpr std::int64_t kAccessBytes = 16;

absl::Status DrawFactors(const DrawnShape& shape, bool aligned, RandomSource& random, TwinProblem& twin) {
  const auto layout = [&] { return random.Chance(0.5) ? Layout::kRowMajor : Layout::kColumnMajor; };
  const double f32 = aligned ? 0.1 : 0.25;
  const DType dtype = random.Chance(f32) ? DType::kF32 : random.Chance(0.5) ? DType::kF16 : DType::kBf16;
  KernelSpec& spec = twin.spec();
  spec.matmul_a = "a";
  // A matrix times itself, where the shapes let it.
  spec.matmul_b = shape.m == shape.k && shape.k == shape.n && random.Chance(0.5) ? "a" : "b";
  if (dtype == DType::kF32) {
    spec.precision = random.Pick(
        std::vector<Precision>{Precision::kDefault, Precision::kIeee, Precision::kTf32, Precision::kTf32x3});
  }
  GEMMD_RETURN_IF_ERROR(twin.AddInput("a", dtype, {Axis::kM, Axis::kK}, layout(), /*mask=*/false));
  if (spec.matmul_b == "a") return absl::OkStatus();
  return twin.AddInput("b", dtype, {Axis::kK, Axis::kN}, layout(), /*mask=*/false);
}

// Elements that follow one another in memory.
std::int64_t LineElements(const std::vector<std::int64_t>& shape, Layout layout) {
  return shape.size() == 2 && layout == Layout::kColumnMajor ? shape.front() : shape.back();
}

Placement DrawPlacement(const std::vector<std::int64_t>& shape, Layout layout, DType dtype, RandomSource& random) {
  Placement placement;
  const std::int64_t access_elements = kAccessBytes / SizeBytes(dtype);
  if (random.Chance(0.4)) placement.offset_elements = random.Between(1, access_elements);
  const std::int64_t line = LineElements(shape, layout);
  if (shape.size() == 2 && random.Chance(0.4)) {
    const std::int64_t padded = line + random.LogBetween(1, 64);
    const bool on_access = random.Chance(0.4);
    placement.leading_dimension =
        on_access ? (padded + access_elements - 1) / access_elements * access_elements : padded;
  }
  return placement;
}

// Where tensors lie: half of all problems keep every promise, the others few.
absl::Status DrawPlacements(const CanonicalSpec& canonical, RandomSource& random, DeviceProblem& problem) {
  GEMMD_ASSIGN_OR_RETURN(const LaunchSignature signature,
                         ResolveSignature(problem.spec, canonical, problem.dims, problem.scalars));
  const auto place = [&](const SignatureTensor& tensor) {
    if (IsScalar(tensor)) return;
    const Placement placement = DrawPlacement(tensor.extents, tensor.layout, tensor.dtype, random);
    if (placement != Placement{}) problem.placements[tensor.name] = placement;
  };
  for (const SignatureTensor& tensor : signature.inputs) place(tensor);
  for (const SignatureTensor& tensor : signature.outputs) place(tensor);
  return absl::OkStatus();
}

// Lets an output lie on a full operand of its own dtype, and on no other's. The operand may still be read after that.
void DrawInPlace(const CanonicalSpec& canonical, RandomSource& random, DeviceProblem& problem) {
  std::vector<std::string> free = canonical.bindings.inputs;
  for (std::size_t o = 0; o < canonical.bindings.outputs.size(); ++o) {
    const std::string& output = canonical.bindings.outputs[o];
    const auto fits = [&](const std::string& name) {
      const auto index =
          static_cast<std::size_t>(std::find(canonical.bindings.inputs.begin(), canonical.bindings.inputs.end(), name) -
                                   canonical.bindings.inputs.begin());
      const GraphInput& input = canonical.graph.inputs[index];
      const bool factor = name == problem.spec.matmul_a || name == problem.spec.matmul_b;
      return !factor && input.axes.size() == 2 && input.axes == canonical.graph.outputs[o].axes &&
             input.layout == Layout::kRowMajor && input.dtype == canonical.graph.outputs[o].dtype;
    };
    const auto operand = std::find_if(free.begin(), free.end(), fits);
    if (operand == free.end() || random.Chance(0.4)) continue;
    problem.in_place[output] = *operand;
    problem.placements.erase(output);
    if (const auto placed = problem.placements.find(*operand); placed != problem.placements.end()) {
      problem.placements[output] = placed->second;
    }
    free.erase(operand);
  }
}

// A family that is legal here, the rarer ones first, and any of its configs, named as far as a pin can.
void DrawPin(const DrawOptions& options, const Graph& graph, const Assumptions& assumptions, RandomSource& random,
             ConfigPin& pin) {
  if (random.Chance(0.2)) return;  // the planner's choice
  std::vector<KernelConfig> configs;
  for (const Family family : {Family::kSkinny, Family::kWgmma, Family::kMma, Family::kSimt}) {
    if (std::find(options.families.begin(), options.families.end(), family) == options.families.end()) continue;
    std::vector<KernelConfig> legal = LegalConfigs(family, graph, options.limits, assumptions);
    if (legal.empty()) continue;
    configs = std::move(legal);
    if (random.Chance(0.6)) break;
  }
  if (configs.empty()) return;
  const KernelConfig config = random.Pick(configs);
  pin.schedule = Name(config.family);
  if (random.Chance(0.75)) pin.tile = {config.tile_m, config.tile_n, config.tile_k};
  if (!pin.tile.empty() && random.Chance(0.5)) pin.stages = config.stages;
}

// Through its JSON, as a user's spec would come.
absl::StatusOr<CanonicalSpec> ReadBack(const KernelSpec& spec) {
  const std::string json = WriteSpecJson(spec);
  const absl::StatusOr<KernelSpec> read = ParseValidSpec(json);
  if (!read.ok()) return WithContext(read.status(), "the validator refuses " + json);
  if (*read != spec) return Internal("another spec is read than was written: {}", json);
  return Canonicalize(*read);
}

}  // namespace

absl::StatusOr<RandomProblem> DrawProblem(const DrawOptions& options, std::int64_t index) {
  RandomSource random(options.seed, index);
  RandomProblem drawn;
  DeviceProblem& problem = drawn.problem;
  problem.spec.name = fmt::format("random_{}_{}", options.seed, index);
  const std::uint64_t data_seed = random.Bits();
  const bool aligned = random.Chance(0.4);
  const DrawnShape shape = DrawShape({.max_extent = options.max_extent, .aligned = aligned}, random, problem);
  TwinProblem twin(&problem, shape, data_seed);
  GEMMD_RETURN_IF_ERROR(DrawFactors(shape, aligned, random, twin));
  if (random.Chance(0.2)) GEMMD_RETURN_IF_ERROR(DrawPrologue(DrawnFactor::kA, random, twin));
  if (random.Chance(0.15)) GEMMD_RETURN_IF_ERROR(DrawPrologue(DrawnFactor::kB, random, twin));
  GEMMD_RETURN_IF_ERROR(DrawEpilogue(random, twin));
  if (random.Chance(0.5)) twin.NameHalf();
  GEMMD_RETURN_IF_ERROR(twin.FillProblem());
  GEMMD_ASSIGN_OR_RETURN(CanonicalSpec canonical, ReadBack(problem.spec));
  if (!random.Chance(aligned ? 0.75 : 0.3)) GEMMD_RETURN_IF_ERROR(DrawPlacements(canonical, random, problem));
  DrawInPlace(canonical, random, problem);
  GEMMD_ASSIGN_OR_RETURN(drawn.assumptions, AssumptionsFor(problem, canonical));
  DrawPin(options, canonical.graph, drawn.assumptions, random, problem.spec.config);
  GEMMD_ASSIGN_OR_RETURN(canonical, ReadBack(problem.spec));
  drawn.features = FeaturesOf(problem, canonical);
  return drawn;
}

}  // namespace gemmd
