#include "tests/golden/spec_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "spec/spec_json.h"

namespace gemmd {

std::vector<std::filesystem::path> SpecFiles() {
  std::vector<std::filesystem::path> files;
  for (const char* folder : {GEMMD_SOURCE_DIR "/client/examples", GEMMD_SOURCE_DIR "/tests/bench/specs"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path << " can't be read";
  return {std::istreambuf_iterator<char>(file), {}};
}

KernelSpec ReadSpecFile(const std::filesystem::path& path) {
  auto spec = ParseValidSpec(ReadText(path));
  EXPECT_TRUE(spec.ok()) << path << ": " << spec.status();
  return spec.ok() ? *std::move(spec) : KernelSpec();
}

}  // namespace gemmd
