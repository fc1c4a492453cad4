// Random specs, each compiled by the real NVRTC for the archs that have kernels of their own.
#include <gtest/gtest.h>

#include <string>

#include "compile/nvrtc_compiler.h"
#include "kernels_src/embedded.h"
#include "tests/fuzz/spec_proof.h"
#include "tests/unit/compile/nvrtc_fixture.h"

namespace gemmd {
namespace {

class RandomCompilesTest : public NvrtcTest, public testing::WithParamInterface<const char*> {};

TEST_P(RandomCompilesTest, EverySpecHasAKernelThatBuildsCleanly) {
  const NvrtcCompiler compiler(*library_, DeviceLibrary());
  ProofOptions options;
  options.draw = {.seed = 20250102, .max_extent = 2000, .limits = *LimitsOf(*ArchFromName(GetParam()))};
  options.count = 10;
  const ProofReport report = ProveCompiles(options, compiler);
  EXPECT_EQ(report.verified, options.count);
  for (const FailedSpec& failed : report.failed) {
    ADD_FAILURE() << "spec " << failed.index << ": " << failed.reason << "\n" << failed.spec;
  }
}

INSTANTIATE_TEST_SUITE_P(Archs, RandomCompilesTest, testing::Values("sm_80", "sm_90a", "sm_100a", "sm_120a"),
                         [](const auto& suite) { return std::string(suite.param); });

}  // namespace
}  // namespace gemmd
