#include "engine/cubin_key.h"

#include <gtest/gtest.h>

#include <array>

namespace gemmd {
namespace {

CubinIngredients Ingredients() {
  return {.source = "kernel",
          .device_library = "library",
          .options = {"-a", "-b"},
          .compiler = "nvrtc 13.0",
          .arch = {.major = 9, .minor = 0, .specific = true}};
}

TEST(CubinKeyTest, IsADigestThatDependsOnNothingElse) {
  EXPECT_EQ(CubinKey(Ingredients()), CubinKey(Ingredients()));
  EXPECT_EQ(CubinKey(Ingredients()).size(), 64u);
}

struct Change {
  const char* name;
  void (*apply)(CubinIngredients&);
};

class CubinKeyIngredientTest : public testing::TestWithParam<Change> {};

TEST_P(CubinKeyIngredientTest, Matters) {
  CubinIngredients changed = Ingredients();
  GetParam().apply(changed);
  EXPECT_NE(CubinKey(changed), CubinKey(Ingredients()));
}

INSTANTIATE_TEST_SUITE_P(
    All, CubinKeyIngredientTest,
    testing::Values(Change{"Source", [](CubinIngredients& in) { in.source = "kernel "; }},
                    Change{"DeviceLibrary", [](CubinIngredients& in) { in.device_library = "other"; }},
                    Change{"AnOption", [](CubinIngredients& in) { in.options[1] = "-c"; }},
                    Change{"OrderOfOptions", [](CubinIngredients& in) { std::swap(in.options[0], in.options[1]); }},
                    Change{"NumberOfOptions", [](CubinIngredients& in) { in.options.pop_back(); }},
                    Change{"Compiler", [](CubinIngredients& in) { in.compiler = "nvrtc 13.1"; }},
                    Change{"ArchSuffix", [](CubinIngredients& in) { in.arch.specific = false; }},
                    Change{"ArchMinor", [](CubinIngredients& in) { in.arch.minor = 1; }}),
    [](const testing::TestParamInfo<Change>& param) { return param.param.name; });

TEST(DeviceLibraryDigestTest, CoversEveryNameAndText) {
  const std::array base = {EmbeddedFile{"a.cuh", "1"}, EmbeddedFile{"b.cuh", "2"}};
  const std::array text = {EmbeddedFile{"a.cuh", "1"}, EmbeddedFile{"b.cuh", "3"}};
  const std::array name = {EmbeddedFile{"a.cuh", "1"}, EmbeddedFile{"c.cuh", "2"}};
  EXPECT_EQ(DeviceLibraryDigest(base), DeviceLibraryDigest(base));
  EXPECT_NE(DeviceLibraryDigest(base), DeviceLibraryDigest(text));
  EXPECT_NE(DeviceLibraryDigest(base), DeviceLibraryDigest(name));
  EXPECT_NE(DeviceLibraryDigest(base), DeviceLibraryDigest(std::span(base).first(1)));
}

}  // namespace
}  // namespace gemmd
