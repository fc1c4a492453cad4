// Holds the source of every shipped spec's first-ranked kernel to the one recorded in this folder: a change of the
// planner or of the generator shows up as a diff to review. After such a change rewrite them:
//   build/release/tests/golden_test --update
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "codegen/generate.h"
#include "tests/golden/spec_files.h"

namespace gemmd {
namespace {

constexpr char kGoldenDirectory[] = GEMMD_SOURCE_DIR "/tests/golden";

std::string SourceFor(const std::filesystem::path& file, const Arch& arch) {
  const KernelSpec spec = ReadSpecFile(file);
  const Graph graph = Canonicalize(spec).graph;
  const DeviceLimits limits = *LimitsOf(arch);
  const auto configs = RankConfigs(graph, limits, spec.config);
  EXPECT_TRUE(configs.ok()) << file << ": " << configs.status();
  if (!configs.ok()) return "";
  const auto generated = Generate(graph, PlanWith(graph, configs->front(), limits, Assumptions{}).kernels.front());
  EXPECT_TRUE(generated.ok()) << file << ": " << generated.status();
  return generated.ok() ? generated->source : "";
}

// Golden file names with what they should hold.
std::map<std::string, std::string> Sources() {
  const Arch hopper{.major = 9, .minor = 0, .specific = true}, ampere{.major = 8, .minor = 0};
  std::map<std::string, std::string> sources;
  for (const std::filesystem::path& file : SpecFiles()) {
    const std::string name = file.stem().string();
    EXPECT_TRUE(sources.emplace(name + ".sm_90a.cu", SourceFor(file, hopper)).second) << name << " is there twice";
    if (name == "mlp_residual_gelu") sources.emplace(name + ".sm_80.cu", SourceFor(file, ampere));
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
