// The specs under client/examples are what users copy: each must be valid as it stands.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "spec/spec_json.h"

namespace gemmd {
namespace {

std::vector<std::filesystem::path> Examples() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(GEMMD_SOURCE_DIR "/client/examples")) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

class ExampleTest : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(ExampleTest, IsValidAndNamedAfterItsFile) {
  std::ifstream file(GetParam());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto spec = ParseValidSpec(text);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name, GetParam().stem());
}

INSTANTIATE_TEST_SUITE_P(Client, ExampleTest, ::testing::ValuesIn(Examples()),
                         [](const auto& example) { return example.param.stem().string(); });

}  // namespace
}  // namespace gemmd
