// Holds the sources of every shipped spec's first choice to those recorded in this folder: a change of the
// planner or of the generator shows up as a diff to review. After such a change rewrite them:
//   build/release/tests/golden_test --update
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "codegen/generate.h"
#include "tests/golden/spec_files.h"

namespace gemmd {
namespace {

constexpr char kGoldenDirectory[] = GEMMD_SOURCE_DIR "/tests/golden";

// The sources of the spec's first choice, by the name of the golden file that holds each: the kernels before the last
// are numbered.
void AddSources(const std::filesystem::path& file, const Arch& arch, std::map<std::string, std::string>& sources) {
  const KernelSpec spec = ReadSpecFile(file);
  const Graph graph = Canonicalize(spec).graph;
  const DeviceLimits limits = *LimitsOf(arch);
  const auto configs = RankConfigs(graph, limits, spec.config);
  ASSERT_TRUE(configs.ok()) << file << ": " << configs.status();
  const std::vector<KernelPlan> kernels = PlanWith(graph, configs->front(), limits, Assumptions{}).kernels;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const auto generated = Generate(graph, kernels[i]);
    ASSERT_TRUE(generated.ok()) << file << ": " << generated.status();
    const std::string number = i + 1 < kernels.size() ? fmt::format(".{}", i) : "";
    const std::string name = fmt::format("{}.{}{}.cu", file.stem().string(), Name(arch), number);
    EXPECT_TRUE(sources.emplace(name, generated->source).second) << name << " is there twice";
  }
}

std::map<std::string, std::string> Sources() {
  const Arch hopper{.major = 9, .minor = 0, .specific = true}, ampere{.major = 8, .minor = 0};
  std::map<std::string, std::string> sources;
  for (const std::filesystem::path& file : SpecFiles()) {
    AddSources(file, hopper, sources);
    if (file.stem() == "mlp_residual_gelu") AddSources(file, ampere, sources);
  }
  return sources;
}

bool IsGolden(const std::filesystem::directory_entry& entry) { return entry.path().extension() == ".cu"; }

TEST(GoldenTest, EveryShippedSpecGeneratesItsRecordedSource) {
  const auto sources = Sources();
  EXPECT_GE(sources.size(), 7u);
  for (const auto& [name, source] : sources) {
    const std::filesystem::path golden = std::filesystem::path(kGoldenDirectory) / name;
    if (!std::filesystem::exists(golden)) {
      ADD_FAILURE() << name << " is not recorded; if its source is right: golden_test --update";
      continue;
    }
    EXPECT_EQ(ReadText(golden), source) << name << " differs; if the new source is right: golden_test --update";
  }
}

TEST(GoldenTest, EveryRecordBelongsToASpec) {
  const auto sources = Sources();
  for (const auto& entry : std::filesystem::directory_iterator(kGoldenDirectory)) {
    EXPECT_TRUE(!IsGolden(entry) || sources.contains(entry.path().filename().string())) << entry.path();
  }
}

// Returns the exit code.
int Update() {
  const auto sources = Sources();
  if (testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed()) return 1;
  for (const auto& entry : std::filesystem::directory_iterator(kGoldenDirectory)) {
    if (IsGolden(entry)) std::filesystem::remove(entry.path());
  }
  for (const auto& [name, source] : sources) {
    std::ofstream(std::filesystem::path(kGoldenDirectory) / name, std::ios::binary) << source;
  }
  return 0;
}

}  // namespace
}  // namespace gemmd

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc == 2 && std::string(argv[1]) == "--update") return gemmd::Update();
  return RUN_ALL_TESTS();
}
