// What of a launch can be said without a GPU: its workspace, and that a kernel for a named arch is not launched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/libgemmd/abi_fixture.h"

namespace gemmd {
namespace {

using ::testing::HasSubstr;

class LibgemmdLaunchTest : public AbiTest {
 protected:
  AbiResult Workspace(gemmd_shape shape) {
    char* error = nullptr;
    return Taken(gemmd_kernel_workspace_bytes(kernel_.get(), shape, &bytes_, &error), &error);
  }

  std::int64_t bytes_ = -1;
};

TEST_F(LibgemmdLaunchTest, TellsTheWorkspaceOfALiteralSpec) {
  CompileOrSkip(LinearSpec("32"));
  if (kernel_ == nullptr) return;
  EXPECT_EQ(Workspace({GEMMD_OF_SPEC, GEMMD_OF_SPEC, GEMMD_OF_SPEC}).code, GEMMD_OK);
  EXPECT_EQ(bytes_, 0);  // one kernel, with nothing between kernels
  EXPECT_EQ(Workspace({32, 128, 64}).code, GEMMD_OK);
}

TEST_F(LibgemmdLaunchTest, CountsWhatIsBetweenKernels) {
  CompileOrSkip(R"({"version": 1, "dims": {"M": "dynamic", "K": 250, "N": 128},
    "inputs": {"x": {"dtype": "bf16", "shape": ["M", "K"]}, "w": {"dtype": "bf16", "shape": ["K", "N"]}},
    "matmul": {"a": "x", "b": "w"}, "config": {"schedule": "wgmma"},
    "epilogue": [{"op": "store", "output": "out", "dtype": "bf16"}]})");
  if (kernel_ == nullptr) return;
  EXPECT_EQ(Workspace({100, GEMMD_OF_SPEC, GEMMD_OF_SPEC}).code, GEMMD_OK);
  const std::int64_t of_100_rows = bytes_;
  EXPECT_GE(of_100_rows, 100 * 250 * 2);
  EXPECT_EQ(Workspace({200, GEMMD_OF_SPEC, GEMMD_OF_SPEC}).code, GEMMD_OK);
  EXPECT_GE(bytes_, of_100_rows + 100 * 250 * 2);
}

TEST_F(LibgemmdLaunchTest, NeedsTheDynamicExtents) {
  CompileOrSkip(LinearSpec("\"dynamic\""));
  if (kernel_ == nullptr) return;
  EXPECT_EQ(Workspace({7, GEMMD_OF_SPEC, GEMMD_OF_SPEC}).code, GEMMD_OK);
  const AbiResult missing = Workspace({GEMMD_OF_SPEC, GEMMD_OF_SPEC, GEMMD_OF_SPEC});
  EXPECT_EQ(missing.code, GEMMD_INVALID_ARGUMENT);
  EXPECT_THAT(missing.text, HasSubstr("shape.m: missing"));
}

TEST_F(LibgemmdLaunchTest, RefusesExtentsThatContradictTheSpec) {
  CompileOrSkip(LinearSpec("\"dynamic\""));
  if (kernel_ == nullptr) return;
  const AbiResult other = Workspace({7, 129, GEMMD_OF_SPEC});
  EXPECT_EQ(other.code, GEMMD_INVALID_ARGUMENT);
  EXPECT_THAT(other.text, HasSubstr("N is 129, but the kernel was made for N = 128"));
  EXPECT_EQ(Workspace({-2, GEMMD_OF_SPEC, GEMMD_OF_SPEC}).code, GEMMD_INVALID_ARGUMENT);
  EXPECT_EQ(Workspace({std::int64_t{1} << 40, GEMMD_OF_SPEC, GEMMD_OF_SPEC}).code, GEMMD_INVALID_ARGUMENT);
}

TEST_F(LibgemmdLaunchTest, HandsOutWhatLoadTakes) {
  CompileOrSkip(LinearSpec("32"));
  if (kernel_ == nullptr) return;
  ASSERT_EQ(gemmd_kernel_cubin_count(kernel_.get()), 1u);
  const gemmd_cubin cubin = gemmd_kernel_cubin(kernel_.get(), 0);
  ASSERT_GT(cubin.size, 4u);
  EXPECT_EQ(std::string(static_cast<const char*>(cubin.bytes) + 1, 3), "ELF");
  EXPECT_EQ(gemmd_kernel_cubin(kernel_.get(), 1).bytes, nullptr);

  const char* const manifest = gemmd_kernel_manifest(kernel_.get());
  const auto load = [](const char* text, const gemmd_cubin* cubins, std::size_t count) {
    gemmd_kernel* loaded = nullptr;
    char* error = nullptr;
    const AbiResult result = Taken(gemmd_load(text, cubins, count, &loaded, &error), &error);
    EXPECT_EQ(loaded, nullptr);
    return result;
  };
  // No driver here, or a driver, and no context on this thread.
  EXPECT_THAT(load(manifest, &cubin, 1).code, testing::AnyOf(GEMMD_UNAVAILABLE, GEMMD_FAILED_PRECONDITION));
  const AbiResult no_cubin = load(manifest, nullptr, 0);
  EXPECT_EQ(no_cubin.code, GEMMD_INVALID_ARGUMENT);
  EXPECT_EQ(no_cubin.text, "cubins: 0, expected the 1 of the manifest");
  const AbiResult no_manifest = load("{}", &cubin, 1);
  EXPECT_EQ(no_manifest.code, GEMMD_DATA_LOSS);
  EXPECT_THAT(no_manifest.text, HasSubstr("manifest: version is missing"));
}

TEST_F(LibgemmdLaunchTest, DoesNotLaunchWhatWasCompiledForANamedArch) {
  CompileOrSkip(LinearSpec("32"));
  if (kernel_ == nullptr) return;
  char* error = nullptr;
  const gemmd_launch_arguments arguments = {};
  const AbiResult result = Taken(gemmd_launch(kernel_.get(), &arguments, nullptr, &error), &error);
  EXPECT_EQ(result.code, GEMMD_FAILED_PRECONDITION);
  EXPECT_THAT(result.text, HasSubstr("compiled for sm_90a by name"));
}

}  // namespace
}  // namespace gemmd
