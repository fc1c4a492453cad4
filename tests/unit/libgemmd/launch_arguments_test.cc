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
