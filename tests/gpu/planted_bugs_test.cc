// Whether the checks notice what they are for: a kernel with a bug planted in it must not pass as verified.
#include "tests/gpu/planted_bugs.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "codegen/generate.h"
#include "engine/compiled_spec.h"
#include "tests/gpu/device_run.h"
#include "tests/gpu/gpu_fixture.h"

namespace gemmd {
namespace {

int Occurrences(std::string_view text, std::string_view piece) {
  int count = 0;
  for (std::size_t at = text.find(piece); at != std::string_view::npos; at = text.find(piece, at + 1)) ++count;
  return count;
}

// The kernel of a spec with `bug` in it (or none), compiled for `arch`.
class BuggyKernel {
 public:
  BuggyKernel(const char* json, const PlantedBug* bug) : spec(SpecFromText(json)), canonical(Canonicalize(spec)) {
    for (const EmbeddedFile& file : DeviceLibrary()) texts_.emplace_back(file.text);
    graph_ = canonical.graph;
    if (bug != nullptr) Plant(*bug);
  }

  absl::StatusOr<CompiledSpec> Compile(const NvrtcLibrary& nvrtc, const DeviceLimits& limits) {
    std::vector<EmbeddedFile> headers(DeviceLibrary().begin(), DeviceLibrary().end());
    for (std::size_t i = 0; i < headers.size(); ++i) headers[i].text = texts_[i];
    const NvrtcCompiler compiler(nvrtc, headers);
    GEMMD_ASSIGN_OR_RETURN(const auto configs, RankConfigs(graph_, limits, spec.config));
    const Plan plan = PlanWith(graph_, configs[0], limits, Assumptions{});
    CompiledSpec compiled;
    for (const KernelPlan& kernel : plan.kernels) {
      GEMMD_ASSIGN_OR_RETURN(GeneratedKernel generated, Generate(graph_, kernel));
      if (const int found = find_.empty() ? 0 : Occurrences(generated.source, find_); found > 0) {
        planted += found;
        generated.source.replace(generated.source.find(find_), find_.size(), replace_);
      }
      GEMMD_ASSIGN_OR_RETURN(const Cubin cubin, compiler.Compile({generated.source, limits.arch, StandardOptions()},
                                                                 absl::InfiniteFuture()));
      compiled.modules.emplace_back().cubin = std::make_shared<const std::string>(cubin.image);
    }
    compiled.manifest = MakeManifest(graph_, plan, std::vector<std::string>(plan.kernels.size(), std::string(64, '0')));
    return compiled;
  }

  const KernelSpec spec;
  const CanonicalSpec canonical;
  int planted = 0;  // how often the bug's place was found

 private:
  void Plant(const PlantedBug& bug) {
    if (bug.mutate) {
      bug.mutate(graph_);
      planted = graph_ == canonical.graph ? 0 : 1;
    } else if (bug.file.empty()) {
      find_ = bug.find;
      replace_ = bug.replace;
    } else {
      for (std::size_t i = 0; i < texts_.size(); ++i) {
        if (DeviceLibrary()[i].name != bug.file) continue;
        planted = Occurrences(texts_[i], bug.find);
        if (planted > 0) texts_[i].replace(texts_[i].find(bug.find), bug.find.size(), bug.replace);
      }
    }
  }

  std::vector<std::string> texts_;  // of the device library's files
  Graph graph_;
  std::string find_, replace_;  // in the generated source
};

class PlantedBugsTest : public testing::TestWithParam<PlantedBug> {};

// Needs no GPU: every bug has its place, exactly one, and compiles.
TEST_P(PlantedBugsTest, IsPlanted) {
  const absl::StatusOr<NvrtcLibrary> nvrtc = LoadNvrtc(UsualNvrtcDirectories(GEMMD_BINARY_DIR "/bin"));
  if (!nvrtc.ok()) GTEST_SKIP() << "skipped: " << nvrtc.status();
  BuggyKernel kernel(GetParam().spec, &GetParam());
  const auto compiled = kernel.Compile(*nvrtc, *LimitsOf(Arch{9, 0, true}));
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_EQ(kernel.planted, 1);
}

class PlantedBugsGpuTest : public GpuTest, public testing::WithParamInterface<PlantedBug> {};

bool Noticed(const DeviceRunOutcome& outcome) { return !outcome.report.verified || !outcome.damage.empty(); }

TEST_P(PlantedBugsGpuTest, IsNoticed) {
  const absl::StatusOr<NvrtcLibrary> nvrtc = LoadNvrtc(UsualNvrtcDirectories(GEMMD_BINARY_DIR "/bin"));
  ASSERT_TRUE(nvrtc.ok()) << nvrtc.status();
  BuggyKernel kernel(GetParam().spec, &GetParam());
  const auto compiled = kernel.Compile(*nvrtc, device_->info().limits);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  // As `gemmctl run --verify` does it: 64 rows, whatever is in the others.
  const auto outcome = RunOnDevice(*device_, *compiled, kernel.spec, kernel.canonical, {}, {.rows = 64});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(Noticed(*outcome));
}

class UnbuggedKernelTest : public GpuTest, public testing::WithParamInterface<const char*> {};

TEST_P(UnbuggedKernelTest, PassesTheSameChecks) {
  const absl::StatusOr<NvrtcLibrary> nvrtc = LoadNvrtc(UsualNvrtcDirectories(GEMMD_BINARY_DIR "/bin"));
  ASSERT_TRUE(nvrtc.ok()) << nvrtc.status();
  BuggyKernel kernel(GetParam(), nullptr);
  const auto compiled = kernel.Compile(*nvrtc, device_->info().limits);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const auto outcome = RunOnDevice(*device_, *compiled, kernel.spec, kernel.canonical, {}, {.rows = 64});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_FALSE(Noticed(*outcome));
}

std::string BugName(const testing::TestParamInfo<PlantedBug>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Specs, UnbuggedKernelTest,
                         testing::Values(kPlantedEpilogue, kPlantedPrologues, kPlantedPacking, kPlantedParts,
                                         kPlantedGate, kPlantedRows, kPlantedStatistic, kPlantedRowKernel,
                                         kPlantedSplit, kPlantedSkinny));
INSTANTIATE_TEST_SUITE_P(Bugs, PlantedBugsTest, testing::ValuesIn(PlantedBugs()), BugName);
INSTANTIATE_TEST_SUITE_P(Bugs, PlantedBugsGpuTest, testing::ValuesIn(PlantedBugs()), BugName);

}  // namespace
}  // namespace gemmd
