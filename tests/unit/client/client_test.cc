#include "client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"
#include "loopback_daemon.h"
#include "tests/testing/sanitized.h"

namespace gemmd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A sanitizer that looks for a race in a buffer of megabytes takes a minute for it.
absl::Time Soon() { return absl::Now() + absl::Seconds(kSanitized ? 300 : 20); }

class ClientTest : public testing::Test {
 protected:
  Client Connected() {
    absl::StatusOr<Client> client = Client::Connect(daemon_.address(), Soon());
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  // A run with one input and one output of 2 x 3 f32.
  absl::StatusOr<RunReport> RunSmall(absl::Time deadline = Soon()) {
    RunCall call;
    call.spec_json = "{}";
    call.inputs["x"] = std::as_bytes(std::span(input_));
    call.outputs["out"] = std::as_writable_bytes(std::span(output_));
    return Connected().Run(call, deadline);
  }

  LoopbackDaemon daemon_;
  std::vector<float> input_ = {1, 2, 3};
  std::vector<float> output_ = std::vector<float>(6, -1);
};

TEST_F(ClientTest, RefusedConnectionsFailAtOnce) {
  const absl::Time start = absl::Now();
  const absl::StatusOr<Client> client = Client::Connect("unix:/nowhere/gemmd.sock", Soon());
  EXPECT_TRUE(absl::IsUnavailable(client.status())) << client.status();
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

TEST_F(ClientTest, CarriesTheDaemonsCodeAndMessage) {
  daemon_.plan = [](const v1::PlanRequest&, v1::PlanResponse&) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no memory left");
  };
  const absl::Status status = Connected().Plan("{}", {}, Soon()).status();
  EXPECT_EQ(status, absl::ResourceExhaustedError("no memory left"));
}

TEST_F(ClientTest, SendsTheTargetAndReadsThePlan) {
  v1::PlanRequest seen;
  daemon_.plan = [&](const v1::PlanRequest& request, v1::PlanResponse& response) {
    seen = request;
    response.set_plan_id("p");
    response.add_sources("__global__");
    response.add_cubin_keys("key");
    v1::PlannedVariant& variant = *response.add_variants();
    variant.set_m_min(17);
    variant.set_m_max(64);
    variant.add_kernels(0);
    v1::PlannedKernel& kernel = *response.add_kernels();
    kernel.set_family("mma");
    for (const int extent : {128, 64, 32}) kernel.add_tile(extent);
    kernel.set_shared_bytes(4096);
    return grpc::Status::OK;
  };
  const absl::StatusOr<PlanReport> report = Connected().Plan("{\"version\":1}", {"", "sm_80"}, Soon());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(seen.spec().json(), "{\"version\":1}");
  EXPECT_EQ(seen.target().arch(), "sm_80");
  EXPECT_EQ(report->plan_id, "p");
  EXPECT_THAT(report->sources, ElementsAre("__global__"));
  EXPECT_THAT(report->cubin_keys, ElementsAre("key"));
  ASSERT_EQ(report->variants.size(), 1u);
  EXPECT_EQ(report->variants[0].m_min, 17);
  EXPECT_EQ(report->variants[0].m_max, 64);
  EXPECT_THAT(report->variants[0].kernels, ElementsAre(0));
  ASSERT_EQ(report->kernels.size(), 1u);
  EXPECT_EQ(report->kernels[0].family, "mma");
  EXPECT_THAT(report->kernels[0].tile, ElementsAre(128, 64, 32));
  EXPECT_EQ(report->kernels[0].shared_bytes, 4096);
}

TEST_F(ClientTest, ReadsEveryFieldOfASpecError) {
  daemon_.validate = [](const v1::ValidateRequest&, v1::ValidateResponse& response) {
    v1::SpecError& error = *response.add_errors();
    error.set_place("epilogue[1].operand");
    error.set_found("\"resid\"");
    error.set_expected("the name of an input");
    error.set_suggestion("residual");
    error.set_unimplemented(true);
    return grpc::Status::OK;
  };
  const absl::StatusOr<ValidationReport> report = Connected().Validate("{}", Soon());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->errors,
              ElementsAre(Diagnostic{"epilogue[1].operand", "\"resid\"", "the name of an input", "residual", true}));
}

TEST_F(ClientTest, StreamsInputsInOrderedChunksOfAMebibyte) {
  std::string bytes((5 << 20) / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7919 >> 5);
  ReceivedRun received;
  daemon_.run = [&](grpc::ServerContext&, RunStream& stream) {
    received = ReceiveRun(stream);
    stream.Write(SummaryOf("out", {0, 3}));
    return grpc::Status::OK;
  };
  RunCall call{
      .spec_json = "{}", .device = "host", .dims = {{"M", 4}}, .scalars = {{"a", 0.5f}}, .inputs = {}, .outputs = {}};
  call.inputs["x"] = std::as_bytes(std::span(bytes));
  call.outputs["out"] = {};
  const absl::StatusOr<RunReport> report = Connected().Run(call, Soon());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(received.header.device(), "host");
  EXPECT_EQ(received.header.dims().at("M"), 4);
  EXPECT_EQ(received.header.scalars().at("a"), 0.5f);
  std::string joined;
  for (const v1::TensorChunk& chunk : received.chunks) {
    EXPECT_EQ(chunk.name(), "x");
    EXPECT_EQ(chunk.offset_bytes(), static_cast<std::int64_t>(joined.size()));
    EXPECT_LE(chunk.data().size(), 1u << 20);
    joined += chunk.data();
  }
  EXPECT_EQ(joined, bytes);
}

TEST_F(ClientTest, PutsOutputsIntoTheCallersMemory) {
  daemon_.run = [](grpc::ServerContext&, RunStream& stream) {
    ReceiveRun(stream);
    const std::vector<float> values = {1, 2, 3, 4, 5, 6};
    const std::string bytes(reinterpret_cast<const char*>(values.data()), 24);
    stream.Write(SummaryOf("out", {2, 3}));
    stream.Write(ChunkOf("out", 0, bytes.substr(0, 10)));
    stream.Write(ChunkOf("out", 10, bytes.substr(10)));
    return grpc::Status::OK;
  };
  const absl::StatusOr<RunReport> report = RunSmall();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(output_, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(report->compile.cache_tier, "disk");
  EXPECT_EQ(report->launch_us, 1500);
  ASSERT_EQ(report->outputs.size(), 1u);
  EXPECT_THAT(report->outputs[0].shape, ElementsAre(2, 3));
}

TEST_F(ClientTest, AnOutputCutShortIsDataLoss) {
  daemon_.run = [](grpc::ServerContext&, RunStream& stream) {
    ReceiveRun(stream);
    stream.Write(SummaryOf("out", {2, 3}));
    stream.Write(ChunkOf("out", 0, std::string(20, 'x')));
    return grpc::Status::OK;
  };
  const absl::Status status = RunSmall().status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("20 of 24 bytes"));
}

TEST_F(ClientTest, ChunksPastTheEndOrOutOfOrderAreDataLoss) {
  for (const auto& [offset, size] : {std::pair{0, 28}, {4, 20}, {-8, 24}}) {
    daemon_.run = [&, at = offset, count = size](grpc::ServerContext&, RunStream& stream) {
      ReceiveRun(stream);
      stream.Write(SummaryOf("out", {2, 3}));
      stream.Write(ChunkOf("out", at, std::string(static_cast<std::size_t>(count), 'x')));
      return grpc::Status::OK;
    };
    EXPECT_TRUE(absl::IsDataLoss(RunSmall().status())) << offset;
    EXPECT_EQ(output_[5], -1) << offset;
  }
}

TEST_F(ClientTest, AnOutputOfAnotherSizeIsInvalid) {
  daemon_.run = [](grpc::ServerContext&, RunStream& stream) {
    ReceiveRun(stream);
    stream.Write(SummaryOf("out", {2, 4}));
    return grpc::Status::OK;
  };
  const absl::Status status = RunSmall().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("has 32 bytes, its memory 24"));
}

TEST_F(ClientTest, AFailureWhileInputsAreSentIsTheDaemonsOwn) {
  daemon_.run = [](grpc::ServerContext&, RunStream&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "epilogue: missing");
  };
  input_.resize(8 << 20);
  EXPECT_EQ(RunSmall().status(), absl::InvalidArgumentError("epilogue: missing"));
}

TEST_F(ClientTest, AnAnswerAfterTheDeadlineIsDeadlineExceeded) {
  daemon_.run = [](grpc::ServerContext& context, RunStream&) {
    while (!context.IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return grpc::Status::OK;
  };
  EXPECT_TRUE(absl::IsDeadlineExceeded(RunSmall(absl::Now() + absl::Milliseconds(100)).status()));
}

TEST_F(ClientTest, BuffersAreWrittenAndReadInPlace) {
  daemon_.buffer = std::string(3 << 20, '.');
  std::string bytes((5 << 20) / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7919 >> 5);
  const Client client = Connected();
  ASSERT_TRUE(client.WriteBuffer({"b", 100}, std::as_bytes(std::span(bytes)), Soon()).ok());
  EXPECT_EQ(daemon_.buffer.substr(100, bytes.size()), bytes);
  std::string back(bytes.size(), '\0');
  ASSERT_TRUE(client.ReadBuffer({"b", 100}, std::as_writable_bytes(std::span(back)), Soon()).ok());
  EXPECT_EQ(back, bytes);
}

TEST_F(ClientTest, AShortReadOfABufferIsDataLoss) {
  daemon_.buffer = "0123456789";
  std::string back(20, '\0');
  EXPECT_TRUE(absl::IsDataLoss(Connected().ReadBuffer({"b", 0}, std::as_writable_bytes(std::span(back)), Soon())));
}

TEST_F(ClientTest, ListsDevices) {
  const absl::StatusOr<DevicesReport> report = Connected().ListDevices(Soon());
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->devices.size(), 1u);
  EXPECT_EQ(report->devices[0].name, "a CPU");
  EXPECT_EQ(report->devices[0].slots, 2);
  EXPECT_EQ(report->default_arch, "sm_90a");
}

TEST_F(ClientTest, AsksForHealth) {
  const Client client = Connected();
  const absl::StatusOr<HealthState> health = client.Health("", Soon());
  ASSERT_TRUE(health.ok()) << health.status();
  EXPECT_EQ(*health, HealthState::kServing);
  EXPECT_TRUE(absl::IsNotFound(client.Health("no.such.Service", Soon()).status()));
}

}  // namespace
}  // namespace gemmd
