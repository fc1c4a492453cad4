#include "compile/compile_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <sstream>

#include "base/logging.h"
#include "base/request_scope.h"
#include "base/status.h"

namespace gemmd {
namespace {

// A compiler whose answer the test sets; it keeps the request.
class ScriptedCompiler final : public Compiler {
 public:
  absl::StatusOr<Cubin> answer = Internal("unset");
  mutable CompileRequest seen;
  absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time) const override {
    seen = request;
    return answer;
  }
  absl::StatusOr<std::string> Identity() const override { return "scripted 1.0"; }
};

TEST(CompileProtocolTest, CarriesTheRequest) {
  ScriptedCompiler compiler;
  AnswerCompileCall(&compiler, EncodeCompileCall({"source", {9, 0, true}, {"-a", "-b"}}));
  EXPECT_EQ(compiler.seen.source, "source");
  EXPECT_EQ(compiler.seen.arch, (Arch{9, 0, true}));
  EXPECT_THAT(compiler.seen.options, testing::ElementsAre("-a", "-b"));
}

TEST(CompileProtocolTest, CarriesTheCubin) {
  ScriptedCompiler compiler;
  compiler.answer = Cubin{std::string("\177ELF\0", 5), "log", {{"k", 24, 868, 1012, 256}}, 1234};
  const auto cubin = DecodeCompileAnswer(AnswerCompileCall(&compiler, EncodeCompileCall({"", {9, 0, true}, {}})));
  ASSERT_TRUE(cubin.ok()) << cubin.status();
  EXPECT_EQ(cubin->image, compiler.answer->image);
  EXPECT_EQ(cubin->log, "log");
  EXPECT_EQ(cubin->compile_us, 1234);
  ASSERT_EQ(cubin->usage.size(), 1U);
  EXPECT_EQ(cubin->usage[0].entry, "k");
  EXPECT_EQ(cubin->usage[0].registers, 24);
  EXPECT_EQ(cubin->usage[0].spill_store_bytes, 868);
  EXPECT_EQ(cubin->usage[0].spill_load_bytes, 1012);
  EXPECT_EQ(cubin->usage[0].static_shared_bytes, 256);
}

TEST(CompileProtocolTest, CarriesTheError) {
  ScriptedCompiler compiler;
  compiler.answer = Unimplemented("no sm_99");
  EXPECT_EQ(DecodeCompileAnswer(AnswerCompileCall(&compiler, EncodeCompileCall({"", {9, 0, true}, {}}))).status(),
            compiler.answer.status());
}

TEST(CompileProtocolTest, ALogThatIsNotUtf8StillArrives) {
  ScriptedCompiler compiler;
  compiler.answer = Internal("bad \xff byte");
  const auto status =
      DecodeCompileAnswer(AnswerCompileCall(&compiler, EncodeCompileCall({"\xfe", {9, 0, true}, {}}))).status();
  EXPECT_EQ(MessageOf(status), "bad ? byte");
}

TEST(CompileProtocolTest, TheWorkerLogsTheCallersRequest) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(MakeLoggerTo(log, "compile-worker", LogLevel::kInfo, LogFormat::kText));
  ScriptedCompiler compiler;
  compiler.answer = Internal("no such kernel\nin the second line");
  std::string call;
  {
    const RequestScope scope("job-17");
    call = EncodeCompileCall({"", {9, 0, true}, {}});
  }
  AnswerCompileCall(&compiler, call);
  spdlog::set_default_logger(before);
  EXPECT_THAT(log.str(), testing::HasSubstr(" info compile-worker: call kind=compile status=INTERNAL us="));
  EXPECT_THAT(log.str(), testing::HasSubstr(" request_id=job-17 error=\"no such kernel\"\n"));
}

TEST(CompileProtocolTest, CarriesTheIdentity) {
  const ScriptedCompiler compiler;
  EXPECT_EQ(DecodeIdentifyAnswer(AnswerCompileCall(&compiler, EncodeIdentifyCall())).value(), "scripted 1.0");
}

TEST(CompileProtocolTest, AWorkerWithoutACompilerAnswersWithItsError) {
  const absl::Status missing = Unavailable("NVRTC is missing");
  EXPECT_EQ(DecodeIdentifyAnswer(AnswerCompileCall(missing, EncodeIdentifyCall())).status(), missing);
}

TEST(CompileProtocolTest, NeitherEndTrustsTheOthersBytes) {
  const ScriptedCompiler compiler;
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeCompileAnswer(AnswerCompileCall(&compiler, "\xff\xff")).status()));
  EXPECT_TRUE(absl::IsInternal(DecodeCompileAnswer("\xff\xff").status()));
  EXPECT_TRUE(absl::IsInternal(DecodeCompileAnswer(AnswerCompileCall(&compiler, EncodeIdentifyCall())).status()));
  EXPECT_TRUE(absl::IsUnimplemented(DecodeCompileAnswer(AnswerCompileCall(&compiler, "")).status()));
}

}  // namespace
}  // namespace gemmd
