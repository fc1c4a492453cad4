// The planner's choices, compiled by the real NVRTC: its first choice for every arch over a covering set of specs, and
// every choice it ranks for a few specs on Hopper. Whether planned and real shared memory and parameters agree is each
// kernel's own static_assert.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/status.h"
#include "codegen/generate.h"
#include "compile/nvrtc_compiler.h"
#include "plan/config_space.h"
#include "plan/split_k.h"
#include "spec/validate.h"
#include "tests/golden/spec_files.h"
#include "tests/unit/compile/nvrtc_fixture.h"
#include "tests/unit/plan/sample_graph.h"

namespace gemmd {
namespace {

enum class Chains { kShort, kLong, kPrologues };

std::string_view Name(Chains chains) {
  switch (chains) {
    case Chains::kShort:
      return "a short chain";
    case Chains::kLong:
      return "a long chain";
    case Chains::kPrologues:
      return "prologues";
  }
  return "";
}

struct Case {
  DType dtype = DType::kF16;
  Layout a = Layout::kRowMajor, b = Layout::kRowMajor;
  bool aligned = true;
  Chains chains = Chains::kShort;
  Precision precision = Precision::kDefault;  // of f32
};

std::string Describe(const Case& c) {
  return fmt::format("{} a {} b {} {} {}", c.precision == Precision::kDefault ? Name(c.dtype) : Name(c.precision),
                     Name(c.a), Name(c.b), c.aligned ? "aligned" : "ragged", Name(c.chains));
}

enum class Halves { kBoth, kAlternating };

// f32 and f16 or bf16 (or each) with every layout, aligned and ragged, with and without prologues; what alternates
// meets every other value.
std::vector<Case> CoveringSet(Halves halves) {
  std::vector<Case> cases;
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBf16}) {
    for (Layout a : {Layout::kRowMajor, Layout::kColumnMajor}) {
      for (Layout b : {Layout::kRowMajor, Layout::kColumnMajor}) {
        for (bool aligned : {true, false}) {
          const DType half = (a == Layout::kRowMajor) == aligned ? DType::kF16 : DType::kBf16;
          if (halves == Halves::kAlternating && dtype != DType::kF32 && dtype != half) continue;
          const bool long_chain = (a == b) != (dtype == DType::kBf16);
          cases.push_back({dtype, a, b, aligned, long_chain ? Chains::kLong : Chains::kShort});
          if (dtype == DType::kF32 || dtype == half) cases.push_back({dtype, a, b, aligned, Chains::kPrologues});
        }
      }
    }
  }
  return cases;
}

// The f32 cases again, as tf32 and as tf32x3.
std::vector<Case> Tf32Cases(const std::vector<Case>& covering) {
  std::vector<Case> cases;
  for (Case c : covering) {
    if (c.dtype != DType::kF32) continue;
    for (const Precision precision : {Precision::kTf32, Precision::kTf32x3}) {
      c.precision = precision;
      cases.push_back(c);
    }
  }
  return cases;
}

Graph GraphOf(const Case& c) {
  KernelSpec spec = c.chains == Chains::kPrologues ? PrologueSpec() : ChainSpec();
  const std::int64_t extent = c.aligned ? 4096 : 4095;
  spec.dims = {{"M", {extent}}, {"K", {extent}}, {"N", {extent}}};
  spec.inputs["x"] = {c.dtype, {"M", "K"}, c.a};
  spec.inputs["w"] = {c.dtype, {"K", "N"}, c.b};
  spec.precision = c.precision;
  if (c.chains == Chains::kShort) {
    std::erase_if(spec.inputs, [](const auto& input) { return input.first != "x" && input.first != "w"; });
    spec.epilogue = {Store("out", c.dtype)};
  }
  const absl::Status valid = ToStatus(Validate(spec));
  EXPECT_TRUE(valid.ok()) << valid;
  return Canonicalize(spec).graph;
}

std::string Describe(const KernelConfig& c) {
  return fmt::format("{} {}x{}x{} micro {}x{} stages {}, packs {}", Name(c.family), c.tile_m, c.tile_n, c.tile_k,
                     c.micro_m, c.micro_n, c.stages, Name(c.packing));
}

// Of the kernels of a choice, in their order.
std::vector<std::string> SourcesOf(const Graph& graph, const KernelConfig& config, const DeviceLimits& limits) {
  std::vector<std::string> sources;
  for (const KernelPlan& kernel : PlanWith(graph, config, limits, Assumptions{}).kernels) {
    const auto generated = Generate(graph, kernel);
    EXPECT_TRUE(generated.ok()) << generated.status();
    if (generated.ok()) sources.push_back(generated->source);
  }
  return sources;
}

class CompilingTest : public NvrtcTest {
 protected:
  absl::StatusOr<Cubin> Compile(const std::string& source, const Arch& arch) const {
    const NvrtcCompiler compiler(*library_, DeviceLibrary());
    return compiler.Compile({.source = source, .arch = arch, .options = StandardOptions()}, absl::InfiniteFuture());
  }

  // What every kernel must be, whether it is fast or not.
  static void ExpectOneKernelWithoutStaticShared(const Cubin& cubin) {
    ASSERT_EQ(cubin.usage.size(), 1u) << cubin.log;
    EXPECT_EQ(cubin.usage.front().static_shared_bytes, 0) << "shared memory is planned: dynamic";
  }
};

class CoveringTest : public CompilingTest, public testing::WithParamInterface<const char*> {};

TEST_P(CoveringTest, FirstChoicesCompileCleanly) {
  const DeviceLimits limits = *LimitsOf(*ArchFromName(GetParam()));
  // Where mma and wgmma are at home; the others take the same kernels.
  const bool hopper = limits.arch == Arch{9, 0, true}, home = hopper || limits.arch == Arch{8, 0, false};
  std::vector<Case> cases = CoveringSet(home ? Halves::kBoth : Halves::kAlternating);
  if (hopper) {
    for (const Case& c : Tf32Cases(cases)) cases.push_back(c);
  }
  std::set<std::string> compiled;  // what differs in extents alone is one source
  for (const Case& c : cases) {
    const Graph graph = GraphOf(c);
    const auto configs = RankConfigs(graph, limits, ConfigPin{});
    ASSERT_TRUE(configs.ok()) << configs.status();
    SCOPED_TRACE(Describe(c) + ": " + Describe(configs->front()));
    for (const std::string& source : SourcesOf(graph, configs->front(), limits)) {
      if (!compiled.insert(source).second) continue;
      const auto cubin = Compile(source, limits.arch);
      ASSERT_TRUE(cubin.ok()) << cubin.status();
      EXPECT_TRUE(CheckClean(*cubin).ok()) << CheckClean(*cubin);
      ExpectOneKernelWithoutStaticShared(*cubin);
    }
  }
  EXPECT_GE(compiled.size(), 12u);
}

// Each form of a gate meets every dtype, layout of B and alignment somewhere.
TEST_P(CoveringTest, GatesCompileCleanly) {
  const DeviceLimits limits = *LimitsOf(*ArchFromName(GetParam()));
  const OpKind gates[] = {OpKind::kSwiglu, OpKind::kGegluErf, OpKind::kGegluTanh, OpKind::kReglu};
  std::vector<Case> cases = CoveringSet(Halves::kAlternating);
  if (limits.arch == Arch{9, 0, true}) {
    for (const Case& c : Tf32Cases(cases)) cases.push_back(c);
  }
  std::size_t turn = 0;
  for (const Case& c : cases) {
    if (c.a != c.b) continue;
    KernelSpec spec = GatedSpec();
    const std::int64_t half = c.aligned ? 4096 : 4095;
    spec.dims = {{"M", {half}}, {"K", {half}}, {"N", {2 * half}}, {"H", {half}}};
    spec.inputs["x"] = {c.dtype, {"M", "K"}, c.a};
    spec.inputs["w"] = {c.dtype, {"K", "N"}, c.b};
    spec.epilogue[3].kind = gates[turn++ % 4];
    spec.precision = c.precision;
    if (c.chains == Chains::kShort) {
      for (const char* name : {"gain", "residual"}) spec.inputs.erase(name);
      spec.dims.erase("H");
      spec.epilogue.erase(spec.epilogue.begin() + 4, spec.epilogue.end() - 1);
    }
    ASSERT_TRUE(Validate(spec).empty());
    const Graph graph = Canonicalize(spec).graph;
    const auto configs = RankConfigs(graph, limits, ConfigPin{});
    ASSERT_TRUE(configs.ok()) << configs.status();
    SCOPED_TRACE(Describe(c) + ": " + Describe(configs->front()));
    for (const std::string& source : SourcesOf(graph, configs->front(), limits)) {
      const auto cubin = Compile(source, limits.arch);
      ASSERT_TRUE(cubin.ok()) << cubin.status();
      EXPECT_TRUE(CheckClean(*cubin).ok()) << CheckClean(*cubin);
      ExpectOneKernelWithoutStaticShared(*cubin);
    }
  }
}

class SkinnyTest : public CompilingTest {};

TEST_F(SkinnyTest, EveryTileOnHopperCompilesCleanly) {
  const DeviceLimits limits = *LimitsOf(*ArchFromName("sm_90a"));
  Graph product = ChainGraph(), gate = GatedGraph();
  product.m = gate.m = 64;
  gate.inputs[gate.b].layout = Layout::kRowMajor;
  for (const Graph& graph : {product, gate}) {
    std::set<std::pair<int, int>> tiles;
    for (const KernelConfig& whole : LegalConfigs(Family::kSkinny, graph, limits)) {
      if (!tiles.emplace(whole.tile_m, whole.tile_n).second) continue;
      std::vector<KernelConfig> divided;
      VisitSplits(whole, graph, limits, ConfigPin{}, [&](const KernelConfig& config) { divided.push_back(config); });
      SCOPED_TRACE(Describe(divided.back()));
      for (const std::string& source : SourcesOf(graph, divided.back(), limits)) {
        const auto cubin = Compile(source, limits.arch);
        ASSERT_TRUE(cubin.ok()) << cubin.status();
        EXPECT_TRUE(CheckClean(*cubin).ok()) << CheckClean(*cubin);
        ExpectOneKernelWithoutStaticShared(*cubin);
      }
    }
    EXPECT_GE(tiles.size(), graph.IsGated() ? 6u : 9u);
  }
}

INSTANTIATE_TEST_SUITE_P(Archs, CoveringTest,
                         testing::Values("sm_80", "sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120a"),
                         [](const auto& suite) { return std::string(suite.param); });

// A choice that spills is passed over when it is served; here it is named. The first must not be one.
class RankedTest : public CompilingTest, public testing::WithParamInterface<const char*> {
 protected:
  static Graph GraphOf(const std::string& name) {
    for (const Precision precision : {Precision::kTf32, Precision::kTf32x3}) {
      const std::string prefix = fmt::format("{}_", Name(precision));
      if (name.starts_with(prefix)) return AsTf32(GraphOf(name.substr(prefix.size())), precision);
    }
    if (name == "long_chain") return ChainGraph();
    if (name == "prologues") return PrologueGraph();
    if (name == "long_gate") return GatedGraph();
    return Canonicalize(ReadSpecFile(GEMMD_SOURCE_DIR "/client/examples/" + name + ".json")).graph;
  }
};

TEST_P(RankedTest, EveryChoiceOnHopperCompiles) {
  const DeviceLimits limits = HopperLimits();
  const Graph graph = GraphOf(GetParam());
  const auto configs = RankConfigs(graph, limits, ConfigPin{});
  ASSERT_TRUE(configs.ok()) << configs.status();
  int passed_over = 0;
  for (std::size_t rank = 0; rank < configs->size(); ++rank) {
    SCOPED_TRACE(Describe((*configs)[rank]));
    absl::Status servable;
    for (const std::string& source : SourcesOf(graph, (*configs)[rank], limits)) {
      const auto cubin = Compile(source, limits.arch);
      ASSERT_TRUE(cubin.ok()) << cubin.status();
      ExpectOneKernelWithoutStaticShared(*cubin);
      servable.Update(CheckClean(*cubin));
    }
    if (servable.ok()) continue;
    ++passed_over;
    EXPECT_NE(rank, 0u) << servable;
    const bool portable = (*configs)[rank] == PortableConfig(graph);
    EXPECT_FALSE(portable) << "the portable kernel must serve: " << servable;
    fmt::print("{}: choice {} of {} is passed over: {}: {}\n", GetParam(), rank + 1, configs->size(),
               Describe((*configs)[rank]), MessageOf(servable));
  }
  RecordProperty("passed_over", passed_over);
}

INSTANTIATE_TEST_SUITE_P(Specs, RankedTest,
                         testing::Values("linear_bf16", "linear_f32", "mlp_residual_gelu", "mlp_gelu_aux",
                                         "swish_column_scale", "swiglu", "long_chain", "prologues", "long_gate",
                                         "tf32_linear_f32", "tf32_mlp_gelu_aux", "tf32_swiglu", "tf32_long_chain",
                                         "tf32x3_linear_f32", "tf32x3_swiglu", "tf32x3_long_chain"),
                         [](const auto& suite) { return std::string(suite.param); });

}  // namespace
}  // namespace gemmd
