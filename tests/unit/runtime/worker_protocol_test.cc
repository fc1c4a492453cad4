#include "runtime/worker_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "base/logging.h"
#include "runtime/device_server.h"
#include "runtime/host_device.h"
#include "sample_kernel.h"

namespace gemmd {
namespace {

TEST(WorkerProtocolTest, AStatusReadsAsItWasWritten) {
  const absl::Status status = absl::ResourceExhaustedError("no memory");
  EXPECT_EQ(StatusFromWire(StatusToWire(status)), status);
  EXPECT_TRUE(StatusFromWire(v1::WorkerStatus()).ok());
}

TEST(WorkerProtocolTest, ACodeThatIsNoneBecomesUnknown) {
  v1::WorkerStatus wire;
  wire.set_code(99);
  EXPECT_EQ(StatusFromWire(wire).code(), absl::StatusCode::kUnknown);
}

TEST(WorkerProtocolTest, ADeviceReadsAsItWasWritten) {
  DeviceInfo info;
  info.id = "cuda:3";
  info.kind = DeviceKind::kCuda;
  info.name = "NVIDIA H200";
  info.driver = "580 (CUDA 13.0)";
  info.limits = {{9, 0, true}, 132, 232448, 233472, 65536, 60 << 20};
  info.memory_bytes = std::int64_t{141} << 30;
  info.slots = 8;
  const auto read = DeviceInfoFromWire(DeviceInfoToWire(info));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, info.id);
  EXPECT_EQ(read->kind, info.kind);
  EXPECT_EQ(read->name, info.name);
  EXPECT_EQ(read->driver, info.driver);
  EXPECT_EQ(read->limits.arch, info.limits.arch);
  EXPECT_EQ(read->limits.sm_count, info.limits.sm_count);
  EXPECT_EQ(read->limits.shared_bytes_per_block, info.limits.shared_bytes_per_block);
  EXPECT_EQ(read->limits.shared_bytes_per_sm, info.limits.shared_bytes_per_sm);
  EXPECT_EQ(read->limits.registers_per_sm, info.limits.registers_per_sm);
  EXPECT_EQ(read->limits.l2_bytes, info.limits.l2_bytes);
  EXPECT_EQ(read->memory_bytes, info.memory_bytes);
  EXPECT_EQ(read->slots, info.slots);
}

TEST(WorkerProtocolTest, RefusesADeviceOfAKindItDoesNotKnow) {
  v1::WorkerResponse::Device wire;
  wire.set_kind("abacus");
  EXPECT_EQ(DeviceInfoFromWire(wire).status().code(), absl::StatusCode::kDataLoss);
}

TEST(WorkerProtocolTest, AnImageReadsAsItWasWritten) {
  KernelImage image = SampleImage();
  image.cubins = {
      std::make_shared<const std::string>(std::string("\x7f"
                                                      "ELF\0x",
                                                      6))};
  const auto read = ImageFromWire(ImageToWire(image));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->manifest, image.manifest);
  EXPECT_EQ(read->graph, image.graph);
  ASSERT_EQ(read->cubins.size(), 1u);
  EXPECT_EQ(*read->cubins[0], *image.cubins[0]);
}

TEST(WorkerProtocolTest, ALaunchReadsAsItWasWritten) {
  LaunchRequest request;
  request.kernel = LoadedKernelId{7};
  request.shape = {1, 2, 3};
  request.inputs = {{BufferId{4}, 5, 6}, {BufferId{8}, 9, 10}};
  request.outputs = {{BufferId{11}, 12, 13}};
  request.scalars = {1.5f, -2.0f};
  request.flush = static_cast<BufferId>(11);
  const LaunchRequest read = LaunchFromWire(LaunchToWire(request));
  EXPECT_EQ(read.kernel, request.kernel);
  EXPECT_EQ(read.shape, request.shape);
  ASSERT_EQ(read.inputs.size(), 2u);
  EXPECT_EQ(read.inputs[1].buffer, BufferId{8});
  EXPECT_EQ(read.inputs[1].offset_bytes, 9);
  EXPECT_EQ(read.inputs[1].leading_dimension, 10);
  ASSERT_EQ(read.outputs.size(), 1u);
  EXPECT_EQ(read.outputs[0].buffer, BufferId{11});
  EXPECT_EQ(read.scalars, request.scalars);
  EXPECT_EQ(read.flush, request.flush);
}

TEST(WorkerProtocolTest, DeadlinesKeepTheirMicrosecond) {
  const absl::Time deadline = absl::FromUnixMicros(1'700'000'000'123'456);
  EXPECT_EQ(DeadlineFromWire(DeadlineToWire(deadline)), deadline);
  EXPECT_EQ(DeadlineFromWire(DeadlineToWire(absl::InfiniteFuture())), absl::InfiniteFuture());
  EXPECT_LT(DeadlineFromWire(DeadlineToWire(absl::InfinitePast())), absl::Now());
}

class DeviceServerTest : public ::testing::Test {
 protected:
  v1::WorkerResponse Ask(const v1::WorkerRequest& request) {
    v1::WorkerResponse response;
    EXPECT_TRUE(response.ParseFromString(server_.Answer(request.SerializeAsString())));
    return response;
  }

  HostDevice device_;
  std::vector<std::byte> staging_ = std::vector<std::byte>(64);
  DeviceServer server_{&device_, staging_, [] { return false; }};
};

TEST_F(DeviceServerTest, RefusesCopiesOutsideTheStagingMemory) {
  const auto buffer = device_.Allocate(1024, absl::InfiniteFuture());
  for (const auto& [offset, bytes] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {0, 65}, {64, 1}, {-1, 1}, {0, -1}, {INT64_MAX, 1}, {1, INT64_MAX}}) {
    v1::WorkerRequest request;
    request.mutable_read()->set_buffer(static_cast<std::uint64_t>(*buffer));
    request.mutable_read()->set_staging_offset(offset);
    request.mutable_read()->set_bytes(bytes);
    EXPECT_FALSE(StatusFromWire(Ask(request).status()).ok()) << offset << ", " << bytes;
  }
}

TEST_F(DeviceServerTest, AnswersBytesThatDoNotParse) {
  v1::WorkerResponse response;
  ASSERT_TRUE(response.ParseFromString(server_.Answer("\xff\xff\xff")));
  EXPECT_EQ(StatusFromWire(response.status()).code(), absl::StatusCode::kDataLoss);
}

TEST_F(DeviceServerTest, RefusesTheRequestsOfACompileWorker) {
  v1::WorkerRequest request;
  request.mutable_compile();
  EXPECT_EQ(StatusFromWire(Ask(request).status()).code(), absl::StatusCode::kUnimplemented);
}

TEST_F(DeviceServerTest, LogsTheRequestThatACallIsFor) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(MakeLoggerTo(log, "device-worker", LogLevel::kDebug, LogFormat::kText));
  v1::WorkerRequest request;
  request.set_request_id("job-17");
  request.mutable_identify();
  Ask(request);
  request.mutable_free()->set_buffer(99);
  Ask(request);
  spdlog::set_default_logger(before);
  EXPECT_THAT(log.str(), testing::ContainsRegex(
                             " debug device-worker: call kind=identify status=OK us=[0-9]+ request_id=job-17\n"));
  EXPECT_THAT(log.str(),
              testing::ContainsRegex(
                  " info device-worker: call kind=free status=NOT_FOUND us=[0-9]+ request_id=job-17 error=\""));
}

TEST_F(DeviceServerTest, AnImageThatDoesNotParseIsDataLoss) {
  v1::WorkerRequest request;
  request.mutable_load()->set_manifest("{");
  EXPECT_EQ(StatusFromWire(Ask(request).status()).code(), absl::StatusCode::kDataLoss);
}

TEST(DeviceServerWithoutDeviceTest, AnswersWhyThereIsNone) {
  const DeviceServer server(absl::UnavailableError("no CUDA driver"), {}, [] { return false; });
  v1::WorkerRequest request;
  request.mutable_identify();
  v1::WorkerResponse response;
  ASSERT_TRUE(response.ParseFromString(server.Answer(request.SerializeAsString())));
  EXPECT_EQ(StatusFromWire(response.status()), absl::UnavailableError("no CUDA driver"));
}

}  // namespace
}  // namespace gemmd
