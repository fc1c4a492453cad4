#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/unit/libgemmd/abi_fixture.h"

namespace gemmd {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

const gemmd_compile_options kForHopper = OptionsFor("sm_90a");

class LibgemmdCompileTest : public AbiTest {
 protected:
  void ExpectError(const AbiResult& result, gemmd_code code, const std::string& text) {
    EXPECT_EQ(result.code, code) << result.text;
    EXPECT_THAT(result.text, HasSubstr(text));
    EXPECT_EQ(kernel_, nullptr);
  }
};

TEST_F(LibgemmdCompileTest, NamesTheVersionAndTheCodes) {
  EXPECT_STREQ(gemmd_version(), "0.1.0");
  EXPECT_STREQ(gemmd_code_name(GEMMD_OUT_OF_RANGE), "OUT_OF_RANGE");
  EXPECT_STREQ(gemmd_code_name(static_cast<gemmd_code>(99)), "UNKNOWN");
}

TEST_F(LibgemmdCompileTest, SaysAllThatIsWrongWithASpecAndWhere) {
  std::string spec = LinearSpec("32");
  spec.replace(spec.find("\"operand\": \"bias\""), 17, "\"operand\": \"bais\"");
  spec.replace(spec.find("\"op\": \"mul\""), 11, "\"op\": \"mull\"");
  const AbiResult result = Compile(spec, kForHopper);
  ExpectError(result, GEMMD_INVALID_ARGUMENT, "epilogue[0].op: \"mull\"");
  EXPECT_THAT(result.text, HasSubstr("epilogue[1].operand: \"bais\""));
  EXPECT_THAT(result.text, HasSubstr("did you mean \"bias\"?"));
}

TEST_F(LibgemmdCompileTest, SaysWhereTextIsNoJson) {
  ExpectError(Compile("{\"version\": 1,", kForHopper), GEMMD_INVALID_ARGUMENT, "spec:");
}

TEST_F(LibgemmdCompileTest, TellsWhatItCannotComputeFromWhatIsWrong) {
  std::string spec = LinearSpec("32");
  for (std::size_t at = spec.find("\"f32\""); at != std::string::npos; at = spec.find("\"f32\"", at)) {
    spec.replace(at, 5, "\"i8\"");
  }
  EXPECT_EQ(Compile(spec, kForHopper).code, GEMMD_UNIMPLEMENTED);
}

TEST_F(LibgemmdCompileTest, RefusesAnArchItDoesNotKnow) {
  gemmd_compile_options options = kForHopper;
  options.arch = "sm_91x";
  ExpectError(Compile(LinearSpec("32"), options), GEMMD_INVALID_ARGUMENT, "\"sm_91x\" is not an arch");
}

TEST_F(LibgemmdCompileTest, RefusesOptionsOfAnUnknownSize) {
  gemmd_compile_options options = kForHopper;
  options.size = 4;
  ExpectError(Compile(LinearSpec("32"), options), GEMMD_INVALID_ARGUMENT, "options.size: 4");
}

TEST_F(LibgemmdCompileTest, RefusesNullHandles) {
  char* error = nullptr;
  gemmd_kernel* kernel = nullptr;
  const AbiResult result = Taken(gemmd_compile(nullptr, "{}", nullptr, &kernel, &error), &error);
  ExpectError(result, GEMMD_INVALID_ARGUMENT, "compiler: null");
  EXPECT_EQ(gemmd_compile(nullptr, "{}", nullptr, &kernel, nullptr), GEMMD_INVALID_ARGUMENT);  // no text asked for
  gemmd_kernel_destroy(nullptr);
  gemmd_compiler_destroy(nullptr);
  gemmd_free(nullptr);
}

TEST_F(LibgemmdCompileTest, NeedsADeviceOrAnArch) {
  const AbiResult result = Compile(LinearSpec("32"), OptionsFor(nullptr));
  // No driver here, or a driver, and no context on this thread.
  EXPECT_THAT(result.code, testing::AnyOf(GEMMD_UNAVAILABLE, GEMMD_FAILED_PRECONDITION)) << result.text;
  EXPECT_FALSE(result.text.empty());
}

TEST_F(LibgemmdCompileTest, SaysWhereItLookedForNvrtc) {
  const gemmd_compiler_options options = {
      .size = sizeof options, .nvrtc_dir = "/nowhere", .cache_dir = nullptr, .cache_bytes = 0, .memory_bytes = 0};
  gemmd_compiler* compiler = nullptr;
  ASSERT_EQ(gemmd_compiler_create(&options, &compiler, nullptr), GEMMD_OK);
  compiler_.reset(compiler);
  ExpectError(Compile(LinearSpec("32"), kForHopper), GEMMD_UNAVAILABLE, "/nowhere");
}

TEST_F(LibgemmdCompileTest, GivesAManifestWithTheSpecsNames) {
  CompileOrSkip(LinearSpec("32"));
  if (kernel_ == nullptr) return;
  const Json manifest = Json::parse(gemmd_kernel_manifest(kernel_.get()));
  EXPECT_EQ(manifest["arch"], "sm_90a");
  EXPECT_EQ(manifest["m"], 32);
  ASSERT_EQ(gemmd_kernel_input_count(kernel_.get()), 4u);
  ASSERT_EQ(gemmd_kernel_output_count(kernel_.get()), 1u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(manifest["inputs"][i]["name"], gemmd_kernel_input_name(kernel_.get(), i));
  }
  EXPECT_STREQ(gemmd_kernel_input_name(kernel_.get(), 0), "x");
  EXPECT_STREQ(gemmd_kernel_output_name(kernel_.get(), 0), "out");
  EXPECT_EQ(gemmd_kernel_input_name(kernel_.get(), 4), nullptr);
  EXPECT_EQ(gemmd_kernel_output_name(kernel_.get(), 1), nullptr);
}

TEST_F(LibgemmdCompileTest, ReportsWhatAKernelIsMadeOf) {
  CompileOrSkip(LinearSpec("32"));
  if (kernel_ == nullptr) return;
  const Json report = Json::parse(gemmd_kernel_report(kernel_.get()));
  EXPECT_EQ(report["cache_tier"], "compiled");
  const Json& kernel = report["kernels"][0];
  EXPECT_GT(kernel["registers"], 0);
  EXPECT_EQ(kernel["spill_store_bytes"], 0);
  EXPECT_GT(kernel["shared_bytes"], 0);
  EXPECT_GE(kernel["ctas_per_sm"], 1);
  EXPECT_GT(kernel["cubin_bytes"], 0);
  EXPECT_THAT(kernel["source"].get<std::string>(), HasSubstr("extern \"C\""));
}

TEST_F(LibgemmdCompileTest, ADynamicMHasVariants) {
  CompileOrSkip(LinearSpec("\"dynamic\""));
  if (kernel_ == nullptr) return;
  const Json manifest = Json::parse(gemmd_kernel_manifest(kernel_.get()));
  EXPECT_TRUE(manifest["m"].is_null());
  EXPECT_EQ(manifest["variants"].front()["m_min"], 0);
  EXPECT_GE(manifest["variants"].size(), 2u);
}

TEST_F(LibgemmdCompileTest, CompilesASpecOnce) {
  CompileOrSkip(LinearSpec("32"));
  if (kernel_ == nullptr) return;
  ASSERT_EQ(Compile(LinearSpec("32"), kForHopper).code, GEMMD_OK);
  EXPECT_EQ(Json::parse(gemmd_kernel_report(kernel_.get()))["cache_tier"], "memory");
}

TEST_F(LibgemmdCompileTest, KeepsCubinsInItsCacheDirectory) {
  std::string directory = testing::TempDir() + "libgemmd.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  for (const char* const tier : {"compiled", "disk"}) {
    const gemmd_compiler_options options = {.size = sizeof options,
                                            .nvrtc_dir = nullptr,
                                            .cache_dir = directory.c_str(),
                                            .cache_bytes = 0,
                                            .memory_bytes = 0};
    gemmd_compiler* compiler = nullptr;
    ASSERT_EQ(gemmd_compiler_create(&options, &compiler, nullptr), GEMMD_OK);
    compiler_.reset(compiler);
    CompileOrSkip(LinearSpec("32"));
    if (kernel_ == nullptr) break;
    EXPECT_EQ(Json::parse(gemmd_kernel_report(kernel_.get()))["cache_tier"], tier);
  }
  std::filesystem::remove_all(directory);
}

TEST_F(LibgemmdCompileTest, PlansForWhatIsPromisedOfATensor) {
  const gemmd_alignment promise = {.tensor = "x", .bytes = 4};
  gemmd_compile_options options = kForHopper;
  options.alignments = &promise;
  options.alignment_count = 1;
  const AbiResult result = Compile(LinearSpec("32"), options);
  if (result.code == GEMMD_UNAVAILABLE) GTEST_SKIP() << "skipped: " << result.text;
  ASSERT_EQ(result.code, GEMMD_OK) << result.text;
  const Json manifest = Json::parse(gemmd_kernel_manifest(kernel_.get()));
  EXPECT_EQ(manifest["inputs"][0]["alignment_bytes"], 4);
  EXPECT_EQ(manifest["inputs"][1]["alignment_bytes"], 16);
}

TEST_F(LibgemmdCompileTest, RefusesPromisesThatMeanNothing) {
  gemmd_alignment promise = {.tensor = "weights", .bytes = 16};
  gemmd_compile_options options = kForHopper;
  options.alignments = &promise;
  options.alignment_count = 1;
  ExpectError(Compile(LinearSpec("32"), options), GEMMD_INVALID_ARGUMENT, "\"weights\" is not a tensor of the spec");
  promise = {.tensor = "x", .bytes = 12};
  ExpectError(Compile(LinearSpec("32"), options), GEMMD_INVALID_ARGUMENT, "expected a power of two of at least 4");
}

}  // namespace
}  // namespace gemmd
