// The real gemmctl, run as a shell would run it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "gemmctl_fixture.h"

namespace gemmd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(GemmctlTest, WrongUsageEndsWithOne) {
  EXPECT_EQ(Run("").code, 1);
  EXPECT_EQ(Run("frobnicate").code, 1);
  EXPECT_EQ(Run("plan").code, 1);
  EXPECT_EQ(Run("plan spec.json --arch sm_90a --device cuda:0").code, 1);
  EXPECT_EQ(Run("--timeout -3 health").code, 1);
  EXPECT_EQ(Run("--timeout nan health").code, 1);
  const Ended no_rows = Run("run spec.json --random --verify-rows 0");
  EXPECT_EQ(no_rows.code, 1);
  EXPECT_THAT(no_rows.err, HasSubstr("--verify-rows: found \"0\", expected a number above 0"));
}

TEST_F(GemmctlTest, MalformedPairsAreAllNamed) {
  const Ended ended = Run("run spec.json --dim M --scalar a=x --dim K=1 --dim K=2");
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, HasSubstr("--dim: found \"M\", expected NAME=EXTENT"));
  EXPECT_THAT(ended.err, HasSubstr("--scalar: found \"a=x\", expected NAME=NUMBER"));
  EXPECT_THAT(ended.err, HasSubstr("--dim: \"K\" is given twice"));
}

TEST_F(GemmctlTest, HelpAndVersionEndWithZero) {
  const Ended help = Run("--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("3  the result failed verification"));
  EXPECT_EQ(Run("run --help").code, 0);
  EXPECT_EQ(Run("--version").code, 0);
}

TEST_F(GemmctlTest, AnInvalidSpecEndsWithTwoAndEveryError) {
  Write("bad.json", R"({"version": 1, "matmul": {"a": "x", "b": "w"}, "epilog": []})");
  const Ended ended = Run("validate --local bad.json");
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.out, IsEmpty());
  EXPECT_THAT(ended.err, HasSubstr("epilog"));
  EXPECT_THAT(ended.err, HasSubstr("did you mean \"epilogue\""));
  EXPECT_THAT(ended.err, HasSubstr("inputs"));
}

TEST_F(GemmctlTest, AValidSpecNeedsNoDaemonLocally) {
  const Ended ended = Run("--address unix:/nowhere validate --local spec.json");
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, HasSubstr("valid, spec_id "));
}

TEST_F(GemmctlTest, TheDaemonsRefusalListsEveryErrorOfTheSpec) {
  daemon_.plan = [](const v1::PlanRequest&, v1::PlanResponse&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "and 7 more");
  };
  daemon_.validate = [](const v1::ValidateRequest&, v1::ValidateResponse& response) {
    for (int i = 0; i < 3; ++i) response.add_errors()->set_place("epilogue[" + std::to_string(i) + "]");
    return grpc::Status::OK;
  };
  const Ended ended = Run("plan spec.json");
  EXPECT_EQ(ended.code, 2);
  for (const char* place : {"epilogue[0]", "epilogue[1]", "epilogue[2]"}) EXPECT_THAT(ended.err, HasSubstr(place));
}

TEST_F(GemmctlTest, ReadsASpecFromStandardInput) {
  std::string seen;
  daemon_.validate = [&](const v1::ValidateRequest& request, v1::ValidateResponse& response) {
    seen = request.spec().json();
    response.set_spec_id("0123456789abcdef");
    return grpc::Status::OK;
  };
  const Ended ended = Run("--json validate - <spec.json");
  EXPECT_EQ(seen, kSpec) << ended.err;
}

TEST_F(GemmctlTest, AnUnreachableDaemonEndsWithFour) {
  const Ended ended = Run("--address unix:/nowhere/gemmd.sock health");
  EXPECT_EQ(ended.code, 4);
  EXPECT_THAT(ended.err, HasSubstr("no gemmd answers at unix:/nowhere/gemmd.sock"));
}

TEST_F(GemmctlTest, ARightResultIsVerified) {
  AnswerRuns(0);
  const Ended ended = Run("run spec.json --dim M=4 --random --verify --output out=out.npy");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("verified: 4 rows x 3 columns x 1 outputs, worst error"));
  EXPECT_THAT(ended.out, HasSubstr("cache hit: disk"));
  EXPECT_THAT(ended.out, HasSubstr("host (CPU interpreter; no GPU here)"));
  EXPECT_EQ(std::filesystem::file_size(directory_ / "out.npy"), 128u + 48u);
}

TEST_F(GemmctlTest, AWrongResultEndsWithThree) {
  AnswerRuns(0.001f);
  const Ended ended = Run("run spec.json --dim M=4 --random --verify");
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.out,
              HasSubstr("NOT verified: 1 elements of 4 rows x 3 columns x 1 outputs are wrong; worst at out[3, 2]"));
  EXPECT_THAT(ended.err, HasSubstr("the result is wrong"));
}

TEST_F(GemmctlTest, JsonIsOneObjectWithTheVerdict) {
  AnswerRuns(0);
  const Ended ended = Run("--json run spec.json --dim M=4 --random --verify");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out.front(), '{');
  EXPECT_THAT(ended.out, HasSubstr("\"verified\": true"));
  EXPECT_THAT(ended.out, HasSubstr("\"plan_id\": \"0123456789abcdef\""));
}

TEST_F(GemmctlTest, MissingAndUnknownTensorsAreAllNamed) {
  const Ended ended = Run("run spec.json --input y=y.npy --output outt=o.npy");
  EXPECT_EQ(ended.code, 2);
  for (const char* part :
       {"no such input \"y\"", "did you mean \"out\"", "input \"w\": neither", "input \"x\": neither"}) {
    EXPECT_THAT(ended.err, HasSubstr(part));
  }
}

TEST_F(GemmctlTest, TensorsThatDoNotFitAreRefusedBeforeTheyAreMade) {
  std::string huge = kSpec;
  huge.replace(huge.find("\"N\": 3"), 6, "\"N\": 1000000000");
  Write("huge.json", huge);
  for (const char* m : {"1000000", "500000000"}) {
    const Ended ended = Run(std::string("run huge.json --random --dim M=") + m);
    EXPECT_EQ(ended.code, 6);
    EXPECT_THAT(ended.err, HasSubstr(std::string("the tensors of M = ") + m + ", N = 1000000000, K = 5 don't fit the"));
  }
}

TEST_F(GemmctlTest, AResultOutlivesADaemonThatStopsAfterIt) {
  AnswerRuns(0);
  std::atomic<bool> ran{false};
  daemon_.run = [&ran, run = daemon_.run](grpc::ServerContext& context, RunStream& stream) {
    ran = true;
    return run(context, stream);
  };
  daemon_.list_devices = [&ran](const v1::ListDevicesRequest&, v1::ListDevicesResponse&) {
    return ran ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "stopping") : grpc::Status::OK;
  };
  const Ended ended = Run("run spec.json --dim M=4 --random --verify --output out=out.npy");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_TRUE(std::filesystem::exists(directory_ / "out.npy"));
}

TEST_F(GemmctlTest, ALateAnswerEndsWithFive) {
  daemon_.run = [](grpc::ServerContext& context, RunStream&) {
    while (!context.IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run("--timeout 0.5 run spec.json --dim M=4 --random").code, 5);
}

TEST_F(GemmctlTest, AnyOtherFailureEndsWithSix) {
  daemon_.plan = [](const v1::PlanRequest&, v1::PlanResponse&) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "a bug of ours");
  };
  const Ended ended = Run("plan spec.json");
  EXPECT_EQ(ended.code, 6);
  EXPECT_THAT(ended.err, HasSubstr("a bug of ours"));
}

TEST_F(GemmctlTest, HealthSaysServing) {
  const Ended ended = Run("health");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "serving\n");
}

}  // namespace
}  // namespace gemmd
